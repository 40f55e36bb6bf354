// Images flowing through the layers: bars are patterns, ribbons what two of them share. Whatever is pointed at or clicked
// lights exactly its images in all layers; the server sends each image's ribbons for that, so no click waits for it.
const BAR = 14, LEFT = 4, RIGHT = 96, FAINT = 0.32, LETTER = 7.6, SVG = "http://www.w3.org/2000/svg";

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".flow"), stage = root.querySelector(".stage"), card = root.querySelector(".card");
  const { bars, ribbons, layers, n } = data, steps = layers.length - 1;
  const bytes = Uint8Array.from(atob(data.followed), (letter) => letter.charCodeAt(0)).buffer;
  const followed = data.narrow ? new Uint16Array(bytes) : new Uint32Array(bytes);
  const part = new Map([...bars.map((bar, i) => [bar.part, ["bar", i]]), ...ribbons.map((r, i) => [r.part, ["ribbon", i]])]);
  const told = () => globalThis.napTold?.get(data.of) ?? "";
  let width = 0, chosen = told(), groups = {}, drawn = [];

  for (const button of root.querySelectorAll("[data-save]")) button.onclick = () => save(button.dataset.save);
  const sized = new ResizeObserver(() => Math.max(stage.clientWidth, data.width) !== width && draw());
  draw();
  root.sized?.disconnect();
  (root.sized = sized).observe(stage);
  document.removeEventListener("nap-told", root.heard);
  document.addEventListener("nap-told", (root.heard = hear));

  function hear({ detail }) {
    if (detail !== data.of || chosen === told()) return;
    chosen = told();
    light(chosen);
  }

  function made(kind, attributes, parent, text) {
    const element = document.createElementNS(SVG, kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent?.append(element);
    return element;
  }

  function left(layer) {
    return LEFT + (steps ? (layer * (width - LEFT - RIGHT - BAR)) / steps : 0);
  }

  function band(ribbon, share = 1) {
    const x = left(bars[ribbon.source].layer) + BAR, to = left(bars[ribbon.target].layer), middle = (x + to) / 2;
    const high = Math.max(share < 1 ? 1 : 0.7, ribbon.height * share), a = ribbon.from, b = ribbon.to;
    return `M${x},${a}C${middle},${a} ${middle},${b} ${to},${b}v${high}C${middle},${b + high} ${middle},${a + high} ${x},${a + high}z`;
  }

  function draw() {
    width = Math.max(stage.clientWidth, data.width);
    const old = stage.querySelector("svg"), focused = root.focusedPart;
    const held = old && old.contains(root.getRootNode().activeElement);
    old?.remove();
    // Chromium lets the Tab key stop at an SVG that listens for focus; its bars are where it should stop.
    const svg = made("svg", { tabindex: -1, width, height: data.height, viewBox: `0 0 ${width} ${data.height}`, role: "group", "aria-label": data.label }, stage);
    svg.setAttribute("font-family", getComputedStyle(root).fontFamily);
    for (const name of ["ribbons", "bars", "path", "names"]) groups[name] = made("g", { class: name }, svg);
    // The thin ones last, so that they lie on top and can be pointed at.
    const order = [...ribbons.keys()].sort((a, b) => ribbons[b].size - ribbons[a].size);
    for (const i of order)
      made("path", { d: band(ribbons[i]), fill: ribbons[i].color, "fill-opacity": ribbons[i].opacity ?? FAINT, "data-part": ribbons[i].part }, groups.ribbons);
    drawn = bars.map((bar) =>
      made("rect", { x: left(bar.layer), y: bar.y, width: BAR, height: Math.max(1, bar.height), fill: bar.color, "data-part": bar.part,
        tabindex: bar.part === (focused ?? bars[0].part) ? 0 : -1, role: "button", "aria-label": bar.said.replaceAll("\n", ", ") }, groups.bars));
    layers.forEach((name, layer) => {
      const room = Math.floor((width - LEFT - RIGHT) / Math.max(1, steps) / LETTER);
      const short = name.length > room ? `…${name.slice(1 - room)}` : name;
      const atEnd = steps && layer === steps && short.length * LETTER > RIGHT + BAR; // else it would be cut
      const title = made("text", { x: atEnd ? width - 2 : left(layer), y: 16, "font-size": 12, "font-family": "monospace",
        "text-anchor": atEnd ? "end" : "start", fill: "currentColor" }, groups.names, short);
      made("title", {}, title, name);
    });
    for (const bar of bars)
      bar.text = made("text", { x: left(bar.layer) + BAR + 5, y: bar.y + bar.height / 2 + 4, "font-size": 12, fill: "currentColor",
        "pointer-events": "none" }, groups.names);
    Object.assign(svg, { onclick: click, onpointermove: move, onpointerleave: () => light(chosen), onkeydown: key });
    svg.addEventListener("focusin", (event) => event.target.dataset.part && light((root.focusedPart = event.target.dataset.part)));
    svg.addEventListener("focusout", () => light(chosen));
    light(chosen);
    if (held) drawn.find((bar) => bar.dataset.part === focused)?.focus({ preventScroll: true });
  }

  // How many of a part's images each ribbon and each bar has.
  function hits(name) {
    const [kind, index] = part.get(name) ?? [];
    if (kind === undefined) return null;
    const own = { ribbon: new Uint32Array(ribbons.length), bar: new Uint32Array(bars.length) };
    const layer = kind === "bar" ? bars[index].layer : bars[ribbons[index].source].layer;
    const step = Math.min(layer, steps - 1), end = layer === step ? "source" : "target";
    for (let image = 0; image < n; image++) {
      const here = followed[step * n + image];
      if (kind === "bar" ? ribbons[here][end] !== index : here !== index) continue;
      for (let s = 0; s < steps; s++) own.ribbon[followed[s * n + image]]++;
    }
    ribbons.forEach(({ source, target }, i) => {
      own.bar[source] += own.ribbon[i];
      if (bars[target].layer === steps) own.bar[target] += own.ribbon[i];
    });
    return own;
  }

  function light(name) {
    const own = name ? hits(name) : null, all = own ? Math.max(...own.bar) : 0;
    groups.path.replaceChildren();
    groups.ribbons.setAttribute("opacity", own ? 0.2 : 1);
    groups.bars.setAttribute("opacity", own ? 0.3 : 1);
    groups.path.setAttribute("pointer-events", "none");
    bars.forEach((bar, i) => {
      const has = own?.bar[i] ?? 0;
      const shown = bar.labelled || (has > 0 && has === all);
      bar.text.textContent = shown ? bar.short + (has ? ` · ${has.toLocaleString("en")}` : "") : "";
      bar.text.setAttribute("opacity", !own || has ? 1 : 0.25);
      bar.text.setAttribute("font-weight", bar.part === chosen ? 600 : 400);
      drawn[i].setAttribute("aria-pressed", bar.part === chosen);
    });
    if (!own) return;
    ribbons.forEach((ribbon, i) => {
      if (!own.ribbon[i]) return;
      const share = own.ribbon[i] / ribbon.size, high = Math.max(1, ribbon.height * share);
      made("path", { d: band(ribbon, share), fill: ribbon.color, "fill-opacity": 0.75 }, groups.path);
      for (const [end, y] of [["source", ribbon.from], ["target", ribbon.to]]) {
        const bar = bars[ribbon[end]], alone = bar.layer === (end === "source" ? 0 : steps);
        const x = left(bar.layer) + (alone || end === "target" ? 0 : BAR / 2);
        made("rect", { x, y, width: alone ? BAR : BAR / 2, height: high, fill: bar.color }, groups.path);
      }
    });
    return own;
  }

  function move(event) {
    const name = event.target.dataset?.part;
    card.hidden = !name;
    if (!name) return void light(chosen);
    if (card.part !== name || !groups.path.childElementCount) light(name);
    card.part = name;
    const [kind, index] = part.get(name), own = chosen && chosen !== name ? hits(chosen)?.[kind][index] : 0;
    card.textContent = (kind === "bar" ? bars : ribbons)[index].said + (own ? `\n${own.toLocaleString("en")} of them are of the chosen ones` : "");
    const box = root.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    card.style.left = `${Math.max(0, Math.min(x + 14, root.clientWidth - card.offsetWidth - 4))}px`;
    card.style.top = `${Math.max(0, y + 16 + card.offsetHeight > root.clientHeight ? y - card.offsetHeight - 8 : y + 16)}px`;
  }

  function choose(name) {
    chosen = name;
    light(chosen);
    setTriggerValue("part", name);
  }

  function click(event) {
    const name = event.target.dataset?.part ?? "";
    if (name || chosen) choose(name === chosen ? "" : name);
  }

  function key(event) {
    if (event.key === "Escape" && chosen) return void choose("");
    const at = drawn.indexOf(event.target);
    if (at < 0) return;
    let next = null;
    if (event.key === "Enter" || event.key === " ") choose(bars[at].part === chosen ? "" : bars[at].part);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      next = at + (event.key === "ArrowDown" ? 1 : -1);
      if (bars[next]?.layer !== bars[at].layer) next = at;
    } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const [from, to] = event.key === "ArrowRight" ? ["source", "target"] : ["target", "source"];
      const ways = ribbons.filter((ribbon) => ribbon[from] === at).sort((a, b) => b.size - a.size);
      next = ways.length ? ways[0][to] : at;
    } else return;
    event.preventDefault();
    if (next === null) return;
    drawn.forEach((bar, i) => bar.setAttribute("tabindex", i === next ? 0 : -1));
    drawn[next].focus();
  }

  function save(kind) {
    const svg = stage.querySelector("svg").cloneNode(true), style = getComputedStyle(root);
    const [text, ground] = ["--st-text-color", "--st-background-color"].map((name) => style.getPropertyValue(name).trim());
    svg.setAttribute("xmlns", SVG);
    svg.setAttribute("color", text || "#1c2128");
    svg.prepend(made("rect", { width: "100%", height: "100%", fill: ground || "#ffffff" }));
    const file = new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
    if (kind === "svg") return hand(file, "flow.svg");
    const picture = new Image(), canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * data.height });
    picture.onload = () => {
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => hand(blob, "flow.png"));
      URL.revokeObjectURL(picture.src);
    };
    picture.src = URL.createObjectURL(file);
  }

  function hand(file, download) {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  return () => {
    sized.disconnect();
    document.removeEventListener("nap-told", hear);
  };
}
