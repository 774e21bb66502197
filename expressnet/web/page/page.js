"use strict";

const SVG = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);
const percent = (share) => (100 * share).toFixed(1);
let latest = 0; // of several photographs in a row, the last one counts

function say(text, isBad = false) {
  find("status").textContent = text;
  find("status").classList.toggle("bad", isBad);
}

function row(label, share, barClass = "bar") {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = label;
  const bar = document.createElement("div");
  bar.className = barClass;
  bar.style.width = `${percent(share)}%`;
  const middle = document.createElement("td");
  middle.append(bar);
  const figure = document.createElement("td");
  figure.textContent = percent(share);
  line.append(head, middle, figure);
  return line;
}

function mixture({ title, gates, answering }) {
  const table = document.createElement("table");
  table.createCaption().textContent = title;
  const body = table.createTBody();
  gates.forEach((gate, place) => {
    const answers = answering.includes(place);
    const line = row(`Expert ${place + 1}${answers ? ", answers" : ""}`, gate, "bar gate");
    line.classList.toggle("answering", answers);
    body.append(line);
  });
  return table;
}

function drawFace(answer) {
  const overlay = find("overlay");
  overlay.replaceChildren();
  overlay.setAttribute("viewBox", `0 0 ${answer.width} ${answer.height}`);
  overlay.setAttribute("preserveAspectRatio", "none");
  if (!answer.face_found) return;
  const [left, top, right, bottom] = answer.box_xyxy;
  const square = document.createElementNS(SVG, "rect");
  const places = { x: left, y: top, width: right - left, height: bottom - top };
  for (const [name, value] of Object.entries(places)) square.setAttribute(name, value);
  square.setAttribute("transform", `rotate(${answer.angle_deg} ${(left + right) / 2} ${(top + bottom) / 2})`);
  overlay.append(square);
}

function describeFace({ face_found, num_faces, score }) {
  if (!face_found) return "No face was found, so the whole photograph was predicted. Do not rely on the answer.";
  const others = num_faces > 1 ? ` ${num_faces} faces were found; the marked one was predicted.` : "";
  return `Face found, detector's confidence ${percent(score)} %.${others}`;
}

function show(answer) {
  const [best] = answer.probabilities;
  find("headline").textContent = `${best.label}, ${percent(best.probability)} %`;
  const doubt = answer.evenness < 0.3 ? "The model has little doubt" : answer.evenness < 0.6
    ? "The model has some doubt" : "The model hardly knows";
  find("doubt").textContent = `${doubt}: entropy ${percent(answer.evenness)} % of the largest possible.`;
  find("probabilities").replaceChildren(
    ...answer.probabilities.map(({ label, probability }) => row(label, probability)));
  find("mixtures").replaceChildren(...answer.mixtures.map(mixture));
  drawFace(answer);
  find("seen").textContent = describeFace(answer);
  find("preview").alt = `Your photograph. ${describeFace(answer)}`;
  find("answer").hidden = false;
}

function preview(file) {
  const image = find("preview");
  if (image.src) URL.revokeObjectURL(image.src);
  find("overlay").replaceChildren();
  find("seen").textContent = "";
  image.alt = "Your photograph";
  image.onload = () => { find("frame").hidden = false; };
  image.onerror = () => {
    find("frame").hidden = true; // TIFF and PPM: browsers can't show them, the model can read them
  };
  image.src = URL.createObjectURL(file);
  find("picture").hidden = false;
}

async function ask(file) {
  const turn = ++latest;
  const limits = find("file").dataset;
  find("answer").hidden = true;
  find("picture").hidden = true;
  if (file.size > Number(limits.maxBytes)) {
    say(`${file.name} is larger than ${limits.maxSize}. Scale it down first.`, true);
    return;
  }
  say(`Looking at ${file.name} …`);
  let response, answer;
  try {
    const type = file.type || "application/octet-stream";
    response = await fetch("predict", { method: "POST", headers: { "Content-Type": type }, body: file });
    answer = await response.json();
  } catch (error) {
    if (turn === latest) say("The server does not answer. Does `make serve` still run?", true);
    return;
  }
  if (turn !== latest) return;
  if (!response.ok) {
    say(answer.error, true);
    return;
  }
  preview(file);
  show(answer);
  say(`Answer for ${file.name}`);
}

function take(files) {
  if (files.length) ask(files[0]);
}

const drop = find("drop");
find("file").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = ""; // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => take(event.clipboardData.files));
for (const name of ["dragover", "drop"]) {
  // Anywhere on the page: a photograph that misses the field must not replace the page.
  document.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files);
  });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
