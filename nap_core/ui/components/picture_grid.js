// A grid of pictures: a click opens one, its corner mark (or the space bar) selects it, shift selects a stretch.
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".grid");
  const memory = (root.memory ??= { drawn: "", sent: null, last: null, chosen: new Set() });
  root.style.setProperty("--size", `${data.size}px`);
  root.setAttribute("aria-label", data.label);

  const drawn = JSON.stringify(data.pictures);
  if (drawn !== memory.drawn) {
    root.replaceChildren(...data.pictures.map(figure));
    Object.assign(memory, { drawn, sent: null, last: null });
  }
  // What Python says counts once it has heard the last click; until then the clicks made here do.
  if (memory.sent === null || JSON.stringify(data.heard) === memory.sent) {
    memory.chosen = new Set(data.chosen);
    memory.sent = null;
  }
  show();

  root.onclick = (event) => {
    const place = placeOf(event.target);
    if (place === null) return;
    if (event.target.closest(".mark")) toggle(place, event.shiftKey);
    else setTriggerValue("opened", data.pictures[place].image);
  };
  root.onkeydown = (event) => {
    if (event.key !== " " || !event.target.closest(".picture")) return;
    event.preventDefault();
    toggle(placeOf(event.target), event.shiftKey);
  };

  function placeOf(element) {
    const found = element.closest("figure");
    return found ? [...root.children].indexOf(found) : null;
  }

  function toggle(place, stretch) {
    const on = !memory.chosen.has(data.pictures[place].image);
    const from = stretch && memory.last !== null ? Math.min(memory.last, place) : place;
    const to = stretch && memory.last !== null ? Math.max(memory.last, place) : place;
    for (const { image } of data.pictures.slice(from, to + 1))
      on ? memory.chosen.add(image) : memory.chosen.delete(image);
    memory.last = place;
    show();
    const chosen = data.pictures.map(({ image }) => image).filter((image) => memory.chosen.has(image));
    memory.sent = JSON.stringify(chosen);
    setStateValue("chosen", chosen);
  }

  function show() {
    data.pictures.forEach(({ image, name }, place) => {
      const on = memory.chosen.has(image);
      const element = root.children[place];
      element.classList.toggle("chosen", on);
      const mark = element.querySelector(".mark");
      mark.setAttribute("aria-checked", on);
      mark.title = on ? `Take ${name} out of the selection` : `Select ${name}`;
    });
  }

  function figure({ name, said, source, wrong }) {
    const element = document.createElement("figure");
    element.className = wrong ? "wrong" : "";
    const picture = document.createElement("button");
    picture.className = "picture";
    picture.title = said ? `${name} · ${said}` : name;
    if (source) {
      const image = document.createElement("img");
      Object.assign(image, { src: source, alt: name, loading: "lazy" });
      picture.append(image);
    } else picture.append(name);
    const mark = document.createElement("button");
    mark.className = "mark";
    mark.setAttribute("role", "checkbox");
    mark.setAttribute("aria-label", `Select ${name}`);
    element.append(picture, mark);
    const text = document.createElement("figcaption");
    text.textContent = said || name;
    element.append(text);
    return element;
  }
}
