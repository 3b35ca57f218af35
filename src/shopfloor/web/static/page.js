// What pages do beyond reading: times in the viewer's zone, ticking all jobs of a table at once, and being live.

import { live } from "./live.js";
import { localTimes } from "./times.js";

/**
 * Put a box into the head of a table that ticks all others.
 * @param {HTMLTableElement} table
 */
function selectAll(table) {
  const boxes = Array.from(table.querySelectorAll("tbody input")).filter((box) => box instanceof HTMLInputElement);
  const head = table.querySelector("th.tick");
  if (head === null || boxes.length === 0) return;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all jobs of this page");
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  table.addEventListener("change", () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  });
  head.replaceChildren(all);
}

localTimes(document);
for (const table of document.querySelectorAll("table[data-selectable]")) {
  if (table instanceof HTMLTableElement) selectAll(table);
}
live();
