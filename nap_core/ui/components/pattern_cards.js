// Cards of patterns: a click on a card opens it, a click on one of its pictures opens that image.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".cards");
  const drawn = JSON.stringify(data.cards);
  if (root.drawn !== drawn) {
    root.replaceChildren(...data.cards.map(card));
    root.drawn = drawn;
  }

  function made(kind, className, text = "") {
    const element = Object.assign(document.createElement(kind), { className, textContent: text });
    return element;
  }

  function card({ number, title, color, share, words, lines, badges, pictures, spark, about, look }) {
    const element = made("article", number < 0 ? "noise" : "");
    const open = made("button", "open");
    open.setAttribute("aria-label", about);
    open.onclick = () => setTriggerValue("opened", number);
    const head = made("header", "");
    const chip = made("i", "");
    chip.style.background = color;
    head.append(chip, made("b", "", title), made("span", "quiet", share));
    for (const { text, help, kind } of badges) head.append(Object.assign(made("em", kind, text), { title: help }));
    const row = made("div", "row");
    row.append(...pictures.map(picture));
    element.append(open, head, row);
    if (look) element.append(lookedFor(look, number));
    element.append(made("p", "", words));
    if (spark.length) element.append(histogram(spark, color));
    for (const line of lines) element.append(made("p", "quiet", line));
    return element;
  }

  function picture({ image, name, said, source, wrong }) {
    const element = made("button", wrong ? "picture wrong" : "picture", source ? "" : name);
    element.title = said ? `${name} · ${said}` : name;
    element.onclick = () => setTriggerValue("image", image);
    if (source) element.append(Object.assign(made("img", ""), { src: source, alt: name, loading: "lazy" }));
    return element;
  }

  // What the pattern looks for is no real picture, so it stands apart from those, with the light of its check.
  function lookedFor({ source, where, color, said, help }, number) {
    const element = Object.assign(made("button", "look"), { title: help });
    element.onclick = () => setTriggerValue("look", number);
    element.append(Object.assign(made("img", ""), { src: source, alt: "made for this pattern", loading: "lazy" }));
    if (where) element.append(Object.assign(made("img", ""), { src: where, alt: "where in the image", loading: "lazy" }));
    const light = made("i", ""), text = made("span", "");
    light.style.background = color;
    text.append(made("b", "", where ? "Looks for this, here" : "Looks for this"), light, made("span", "", said));
    element.append(text);
    return element;
  }

  function histogram(spark, color) {
    const element = made("div", "spark"), most = Math.max(...spark, 1);
    element.title = "How firmly its images belong, from 0 on the left to 1 on the right";
    for (const count of spark) {
      const bar = made("s", "");
      bar.style.height = `${count ? Math.max(6, (100 * count) / most) : 0}%`;
      bar.style.background = color;
      element.append(bar);
    }
    return element;
  }
}
