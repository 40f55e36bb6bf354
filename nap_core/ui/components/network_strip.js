// The network from left to right: a card a layer, with its figures as bars and the medoids of its largest patterns.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".strip");
  const drawn = JSON.stringify(data.layers);
  if (root.drawn === drawn) return;
  root.drawn = drawn;
  root.replaceChildren(...data.layers.map(card));

  function made(kind, className, text = "") {
    return Object.assign(document.createElement(kind), { className, textContent: text });
  }

  function card({ name, patterns, verdict, bars, medoids, about }) {
    const element = made("article", "");
    const open = made("button", "open");
    open.setAttribute("aria-label", about);
    open.onclick = () => setTriggerValue("layer", name);
    const row = made("div", "row");
    for (const { pattern, source, title, color, text } of medoids) {
      const button = made("button", "medoid", source ? "" : text);
      button.title = title;
      button.style.borderColor = color;
      button.onclick = () => setTriggerValue("pattern", { layer: name, pattern });
      if (source) button.append(Object.assign(made("img", ""), { src: source, alt: title, loading: "lazy" }));
      row.append(button);
    }
    element.append(open, made("code", "", name), made("b", "", patterns));
    if (verdict) element.append(badge(name, verdict));
    element.append(...bars.map(bar), row);
    return element;
  }

  function badge(name, { text, help, kind }) {
    const button = made("button", `badge ${kind}`, text);
    button.title = help;
    button.onclick = () => setTriggerValue("verdict", name);
    return button;
  }

  function bar({ label, share, said, help }) {
    const element = made("div", "bar");
    element.title = help;
    const track = made("i", ""), filled = made("i", "");
    filled.style.width = `${100 * share}%`;
    track.append(filled);
    element.append(made("span", "", label), made("span", "said", said), track);
    return element;
  }
}
