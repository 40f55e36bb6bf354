// The layers of a model: a tree that is searched, opened, closed, and ticked.
export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".tree");
  const memory = (root.memory ??= { drawn: "", sent: null, chosen: new Set(), closed: new Set() });

  if (memory.sent === null || JSON.stringify(data.heard) === memory.sent) {
    memory.chosen = new Set(data.chosen);
    memory.sent = null;
  }
  const drawn = JSON.stringify([data.nodes, data.suggested]);
  if (drawn !== memory.drawn) draw();
  memory.drawn = drawn;
  show();

  function draw() {
    const open = new Set();
    for (const name of data.suggested) for (const above of ancestors(name)) open.add(above);
    memory.closed = new Set(data.nodes.filter((node) => node.parts && !open.has(node.name)).map((node) => node.name));
    memory.rows = new Map(data.nodes.map((node) => [node.name, row(node)]));
    const bar = document.createElement("div");
    bar.className = "bar";
    memory.search = Object.assign(document.createElement("input"), { type: "search", placeholder: "Search layers" });
    memory.search.setAttribute("aria-label", "Search layers by name or type");
    memory.search.oninput = show;
    memory.count = document.createElement("span");
    memory.count.setAttribute("role", "status");
    bar.append(
      memory.search,
      button("Suggested", "Tick the end of each stage, and the answer", () => choose(data.suggested)),
      button("None", "Take all ticks away", () => choose([])),
      button("Open all", "Show every part", () => { memory.closed.clear(); show(); }),
      memory.count,
    );
    const head = document.createElement("div");
    head.className = "row head";
    for (const text of ["Layer", "Type", "Output", "Parameters"]) {
      head.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    const list = document.createElement("div");
    list.className = "list";
    list.tabIndex = -1;
    list.append(head, ...memory.rows.values());
    root.replaceChildren(bar, list);
  }

  function button(text, title, act) {
    const element = Object.assign(document.createElement("button"), { textContent: text, title, onclick: act });
    element.type = "button";
    return element;
  }

  function ancestors(name) {
    const parts = name.split(".");
    return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("."));
  }

  function row(node) {
    const element = document.createElement("div");
    element.className = node.usable ? "row" : "row unusable";
    const first = document.createElement("span");
    first.className = "first";
    first.style.setProperty("--depth", node.depth);
    const fold = document.createElement("button");
    fold.type = "button";
    fold.className = "fold";
    if (node.parts) {
      fold.onclick = () => {
        memory.closed.has(node.name) ? memory.closed.delete(node.name) : memory.closed.add(node.name);
        show();
      };
    } else fold.disabled = true;
    const label = document.createElement("label");
    const tick = Object.assign(document.createElement("input"), { type: "checkbox", disabled: !node.usable });
    tick.setAttribute("aria-label", node.name);
    tick.onchange = () => {
      const chosen = new Set(memory.chosen);
      tick.checked ? chosen.add(node.name) : chosen.delete(node.name);
      choose([...chosen]);
    };
    const name = Object.assign(document.createElement("code"), { textContent: node.name.split(".").at(-1) });
    name.title = node.reason ? `${node.name}: ${node.reason}` : node.name;
    label.append(tick, name);
    if (data.suggested.includes(node.name)) {
      label.append(Object.assign(document.createElement("small"), { textContent: "suggested" }));
    }
    first.append(fold, label);
    element.append(first);
    for (const text of [node.type, node.shape, node.parameters]) {
      element.append(Object.assign(document.createElement("span"), { textContent: text }));
    }
    return element;
  }

  function choose(names) {
    memory.chosen = new Set(names);
    const chosen = data.nodes.map((node) => node.name).filter((name) => memory.chosen.has(name));
    memory.sent = JSON.stringify(chosen);
    show();
    setStateValue("chosen", chosen);
  }

  function show() {
    const words = memory.search.value.trim().toLowerCase();
    const found = new Set();
    for (const node of data.nodes) {
      if (!words || !`${node.name} ${node.type}`.toLowerCase().includes(words)) continue;
      found.add(node.name);
      for (const above of ancestors(node.name)) found.add(above);
    }
    let n = 0;
    for (const node of data.nodes) {
      const element = memory.rows.get(node.name);
      const hidden = words ? !found.has(node.name) : ancestors(node.name).some((above) => memory.closed.has(above));
      element.hidden = hidden;
      n += !hidden;
      const tick = element.querySelector("input");
      tick.checked = memory.chosen.has(node.name);
      element.classList.toggle("chosen", tick.checked);
      const fold = element.querySelector(".fold");
      if (node.parts) {
        const closed = memory.closed.has(node.name) && !words;
        fold.setAttribute("aria-expanded", !closed);
        fold.setAttribute("aria-label", `${closed ? "Open" : "Close"} ${node.name}`);
        fold.textContent = closed ? "▸" : "▾";
      }
    }
    memory.count.textContent = words && !n ? "no layer has this name or type" : `${memory.chosen.size} ticked`;
  }
}
