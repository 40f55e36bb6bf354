// A map of images: every point stays in sight, the one under the pointer shows its picture, a lasso selects.
// Canvas, because 50,000 points must pan and zoom smoothly and show pictures, which no chart element of the page can.
const GREY = "#8b8f9640", REACH = 9, PICTURE = 26;

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".map");
  const [base, top] = root.querySelectorAll("canvas");
  const card = root.querySelector(".card");
  const memory = (root.memory ??= { key: "", view: { zoom: 1, x: 0, y: 0 }, tool: "lasso", pictures: false });
  if (memory.key !== data.key) Object.assign(memory, { key: data.key, view: { zoom: 1, x: 0, y: 0 } });
  const x = shorts(data.x), y = shorts(data.y), color = shorts(data.color), n = x.length;
  const drawn = [...Array(n).keys()].sort((a, b) => color[a] - color[b]);
  const told = () => new Set(globalThis.napTold?.get(data.key) ?? []);
  const atlas = data.atlas ? Object.assign(new Image(), { src: data.atlas.source, onload: () => draw() }) : null;
  let width = 0, height = 0, lasso = null, grabbed = null, under = -1, chosen = told();

  top.setAttribute("aria-label", data.label);
  for (const button of root.querySelectorAll("[data-do]")) button.onclick = () => press(button.dataset.do);
  root.querySelector("[data-do=pictures]").hidden = !atlas;
  const sized = new ResizeObserver(fit);
  sized.observe(root);
  document.removeEventListener("nap-told", root.heard);
  document.addEventListener("nap-told", (root.heard = hear));
  fit();

  function hear({ detail }) {
    if (detail !== data.key) return;
    chosen = told();
    draw();
  }

  function shorts(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Uint16Array(bytes.buffer);
  }

  function fit() {
    const ratio = window.devicePixelRatio || 1;
    width = root.clientWidth;
    height = Math.min(data.height, width + 70); // on a narrow screen no empty stretch, but room for the tools
    root.style.setProperty("--height", `${height}px`);
    for (const canvas of [base, top]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    draw();
  }

  function scale() {
    return (Math.min(width, height) - 2 * PICTURE) * memory.view.zoom;
  }

  function place(i) {
    const size = scale(), { x: left, y: up } = memory.view;
    return [width / 2 + (x[i] / 65535 - 0.5) * size + left, height / 2 - (y[i] / 65535 - 0.5) * size + up];
  }

  function draw() {
    const pen = base.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const size = (n > 20000 ? 3 : n > 5000 ? 4 : 5) * Math.min(2, Math.sqrt(memory.view.zoom));
    const side = PICTURE * Math.min(2.5, Math.sqrt(memory.view.zoom)), full = new Set();
    // One picture a square: the others are dots until the reader comes closer.
    const isFree = (px, py) => full.size !== full.add(`${Math.round(px / side)} ${Math.round(py / side)}`).size;
    for (const layer of !chosen.size ? [true] : memory.pictures ? [true, false] : [false, true])
      for (const i of drawn) {
        if (chosen.size && chosen.has(i) !== layer) continue;
        const [px, py] = place(i);
        if (px < -PICTURE || py < -PICTURE || px > width + PICTURE || py > height + PICTURE) continue;
        if (memory.pictures && atlas?.complete && isFree(px, py)) {
          pen.globalAlpha = layer ? 1 : 0.25;
          picture(pen, i, px, py, side);
          pen.globalAlpha = 1;
        } else {
          pen.fillStyle = layer ? data.palette[color[i]] : GREY;
          if (n > 5000) pen.fillRect(px - size / 2, py - size / 2, size, size);
          else {
            pen.beginPath();
            pen.arc(px, py, size / 2, 0, 7);
            pen.fill();
          }
        }
      }
    names(pen);
    over();
  }

  function picture(pen, i, px, py, side) {
    const { cell, columns } = data.atlas;
    pen.drawImage(atlas, (i % columns) * cell, Math.floor(i / columns) * cell, cell, cell, px - side / 2, py - side / 2, side, side);
    pen.fillStyle = data.palette[color[i]];
    pen.fillRect(px - side / 2, py + side / 2, side, 2);
  }

  function names(pen) {
    const style = getComputedStyle(root);
    pen.font = `600 12px ${style.fontFamily}`;
    pen.textAlign = "center";
    pen.lineWidth = 3;
    pen.strokeStyle = style.getPropertyValue("--st-background-color");
    pen.fillStyle = style.getPropertyValue("--st-text-color");
    const taken = [];
    for (const { image, text } of data.names) {
      const [px, py] = place(image), half = 4 + 3.6 * text.length;
      if (taken.some(([qx, qy, other]) => Math.abs(px - qx) < half + other && Math.abs(py - qy) < 14)) continue;
      taken.push([px, py, half]);
      pen.strokeText(text, px, py + 4);
      pen.fillText(text, px, py + 4);
    }
  }

  function over() {
    const pen = top.getContext("2d");
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = getComputedStyle(root).getPropertyValue("--st-primary-color");
    pen.lineWidth = 2;
    if (lasso) {
      pen.beginPath();
      lasso.forEach(([px, py], step) => (step ? pen.lineTo(px, py) : pen.moveTo(px, py)));
      pen.stroke();
    }
    if (under < 0) return void (card.hidden = true);
    const [px, py] = place(under);
    pen.beginPath();
    pen.arc(px, py, 7, 0, 7);
    pen.stroke();
    tell(px, py);
  }

  function tell(px, py) {
    card.hidden = false;
    card.lastElementChild.textContent = data.said[under];
    const frame = card.firstElementChild;
    frame.hidden = !data.atlas;
    if (data.atlas) {
      const { cell, columns, source } = data.atlas, grown = 84 / cell;
      frame.style.backgroundImage = `url(${source})`;
      frame.style.backgroundSize = `${columns * 84}px auto`;
      frame.style.backgroundPosition = `-${(under % columns) * cell * grown}px -${Math.floor(under / columns) * cell * grown}px`;
    }
    card.style.left = `${Math.min(px + 14, width - card.offsetWidth - 4)}px`;
    card.style.top = `${Math.min(py + 14, height - card.offsetHeight - 4)}px`;
  }

  function nearest(px, py) {
    let best = -1, least = REACH * REACH;
    for (let i = 0; i < n; i++) {
      const [qx, qy] = place(i), far = (qx - px) ** 2 + (qy - py) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  function inside(px, py) {
    let odd = false;
    for (let a = 0, b = lasso.length - 1; a < lasso.length; b = a++) {
      const [ax, ay] = lasso[a], [bx, by] = lasso[b];
      if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) odd = !odd;
    }
    return odd;
  }

  function zoom(factor, px = width / 2, py = height / 2) {
    const { view } = memory, next = Math.min(60, Math.max(1, view.zoom * factor)), by = next / view.zoom;
    view.x = px - width / 2 - (px - width / 2 - view.x) * by;
    view.y = py - height / 2 - (py - height / 2 - view.y) * by;
    view.zoom = next;
    if (next === 1) view.x = view.y = 0;
    draw();
  }

  function press(what) {
    if (what === "in") zoom(1.5);
    else if (what === "out") zoom(1 / 1.5);
    else if (what === "pictures") memory.pictures = !memory.pictures;
    else memory.tool = what;
    for (const tool of ["lasso", "move"]) root.querySelector(`[data-do=${tool}]`).setAttribute("aria-pressed", memory.tool === tool);
    root.querySelector("[data-do=pictures]").setAttribute("aria-pressed", memory.pictures);
    draw();
  }
  press(memory.tool);

  const at = (event) => [event.offsetX, event.offsetY];
  top.onpointerdown = (event) => {
    top.setPointerCapture(event.pointerId);
    if (memory.tool === "move") grabbed = at(event);
    else lasso = [at(event)];
  };
  top.onpointermove = (event) => {
    const [px, py] = at(event);
    if (grabbed) {
      memory.view.x += px - grabbed[0];
      memory.view.y += py - grabbed[1];
      grabbed = [px, py];
      return draw();
    }
    if (lasso) lasso.push([px, py]);
    under = lasso ? -1 : nearest(px, py);
    over();
  };
  top.onpointerup = (event) => {
    const path = lasso, click = !path || Math.hypot(path[0][0] - event.offsetX, path[0][1] - event.offsetY) < 4;
    if (path && (!click || path.length > 12)) {
      const images = [];
      for (let i = 0; i < n; i++) if (inside(...place(i))) images.push(i);
      setTriggerValue("lasso", { images, add: event.shiftKey });
    } else if (click && memory.tool === "lasso") {
      const hit = nearest(...at(event));
      if (hit >= 0) setTriggerValue("pointed", hit);
    }
    lasso = grabbed = null;
    over();
  };
  top.onpointerleave = () => {
    under = -1;
    over();
  };
  top.onwheel = (event) => {
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...at(event));
  };
  top.onkeydown = (event) => {
    const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    if (step) {
      memory.view.x += step[0];
      memory.view.y += step[1];
      draw();
    } else if (event.key === "+") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "Escape") setTriggerValue("lasso", { images: [], add: false });
    else return;
    event.preventDefault();
  };
  return () => {
    sized.disconnect();
    document.removeEventListener("nap-told", hear);
  };
}
