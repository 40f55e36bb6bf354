// One image's way from layer to layer: a card a layer, joined by a rail that tells whose company the image keeps.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".path");
  const drawn = JSON.stringify(data.layers);
  root.classList.toggle("looked", data.looks);
  if (root.drawn === drawn) return;
  root.drawn = drawn;
  root.replaceChildren(...data.layers.map(card));

  function made(kind, className, text = "") {
    return Object.assign(document.createElement(kind), { className, textContent: text });
  }

  function button(className, text, title, act) {
    return Object.assign(made("button", className, text), { title, onclick: act });
  }

  function card(step) {
    const { layer, pattern, title, color, size, company, kind, firm, note, medoid, near, left } = step;
    const element = made("article", `${kind}${pattern < 0 ? " noise" : ""}${left ? " left" : ""}`);
    const rail = made("div", "rail"), dot = made("i", "");
    dot.style.background = color;
    rail.append(made("s", ""), dot, made("s", ""));
    const open = button("open", "", `Open ${title} of ${layer}`, () => setTriggerValue("pattern", { layer, pattern }));
    const chip = made("i", "");
    chip.style.background = color;
    open.append(chip, made("b", "", title));
    const facts = made("div", "facts");
    facts.append(made("code", "", layer), open, made("span", "quiet", size), made("span", "company", company));
    if (pattern >= 0) facts.append(bar(firm, color));
    if (note) facts.append(made("span", "quiet", note));
    const frame = made("div", "medoid");
    if (medoid)
      frame.append(Object.assign(made("span", "label", step.medoidLabel), { title: step.medoidHelp }), picture(medoid, color));
    element.append(rail, facts, frame);
    if (data.looks) element.append(lookedFor(step));
    element.append(nearest(near), places(layer));
    return element;
  }

  function bar({ share, said, label, help }, color) {
    const element = Object.assign(made("div", "bar"), { title: help });
    const track = made("i", ""), filled = made("i", "");
    filled.style.width = `${100 * share}%`;
    filled.style.background = color;
    track.append(filled);
    element.append(made("span", "", label), made("span", "", said), track);
    return element;
  }

  // Made for the network, no real picture: a dot with the light of its check stands with it.
  function lookedFor({ layer, pattern, look }) {
    const element = made("div", "look");
    if (!look) return element;
    const light = made("i", ""), label = Object.assign(made("span", "label"), { title: look.help });
    light.style.background = look.color;
    label.append(light, made("span", "", "looks for"));
    const open = button("", "", look.help, () => setTriggerValue("look", { layer, pattern }));
    open.append(Object.assign(made("img", ""), { src: look.source, alt: `made for this pattern: ${look.said}`, loading: "lazy" }));
    element.append(label, open);
    return element;
  }

  function nearest(near) {
    const element = made("div", "near"), row = made("div", "row");
    row.append(...near.map((one) => picture(one, one.color)));
    const help = "Nearest in the layer's own space, not on the map; the line below each is its pattern's colour.";
    element.append(Object.assign(made("span", "label", "nearest images"), { title: help }), row);
    return element;
  }

  function picture({ image, name, said, source, wrong, where }, color) {
    const title = [name, said, where].filter(Boolean).join(" · ");
    const element = button(wrong ? "picture wrong" : "picture", source ? "" : name.split("/").pop(), title, () => setTriggerValue("image", image));
    element.style.borderColor = color;
    if (source) element.append(Object.assign(made("img", ""), { src: source, alt: title, loading: "lazy" }));
    return element;
  }

  function places(layer) {
    const element = made("div", "places");
    element.append(
      button("", "Map", `The map of ${layer}`, () => setTriggerValue("place", { page: "map", layer })),
      button("", "Flows", `Where the images of this pattern of ${layer} come from and go to`, () =>
        setTriggerValue("place", { page: "flows", layer })),
    );
    return element;
  }
}
