/** The elements of the plane; they are made once and stay. */

import { BOX, HEIGHT, WIDTH } from "./geometry.js";

const POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

const HELP = `
  <p>Every point is an objective, D + (1 − α) R + (α + λ − 1) Div(q(z), p(z)). Click, drag or press
  the arrow keys to choose one.</p>
  <p>To the right the rate costs less: at α = 1 nothing, beyond it is rewarded. Upwards q(z) is held
  closer to the prior. On the β-VAE's line the divergence has no weight; below, it would be
  rewarded, which is refused.</p>
  <p>InfoMax-VAE lies at (1 − β + α, β): were its estimate of the mutual information exact, it would
  be InfoVAE there with Div = KL(q(z) ‖ p(z)).</p>
  <p><b>Filled</b>: the form. <b>Ring</b>: the run in view. <b>Small dots</b>: published settings;
  a click takes over their objective.</p>`;

/** All that does not move, with places for what does. */
export function skeleton(geometry, betavae) {
  const { x, y, limits } = geometry;
  const { left, right, top, bottom } = BOX;
  const line = boundary(geometry);
  const none = x.at(1);
  return `
    <div class="stage">
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" tabindex="0" role="application"
           aria-roledescription="plane of objectives">
        <defs>
          <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"
                   patternTransform="rotate(45)"><path d="M0 0V5" class="hatch"/></pattern>
        </defs>
        <rect class="rewarded" x="${none}" y="${top}" width="${right - none}"
              height="${bottom - top}"/>
        <path class="refused" fill="url(#hatch)" d="M${left} ${bottom}L${line}Z"/>
        <path class="axis" d="M${left} ${top}V${bottom}H${right}"/>
        ${ticks(limits.alpha).map((v) => across(x.at(v), v)).join("")}
        ${ticks(limits.lam).map((v) => upwards(y.at(v), v)).join("")}
        <text class="symbol" x="${right + 4}" y="${bottom + 3}">α</text>
        <text class="symbol" x="${left}" y="${top - 5}" text-anchor="middle">λ</text>
        <path class="none" d="M${none} ${top}V${bottom}"/>
        <text x="${none - 5}" y="${top + 9}" text-anchor="end">MMD-VAE: α = 1, no rate</text>
        <text x="${none + 5}" y="${top + 9}">rate rewarded</text>
        <text x="${left + 4}" y="${bottom - 17}">α + λ &lt; 1 drives q(z)</text>
        <text x="${left + 4}" y="${bottom - 5}">from the prior</text>
        <path class="betavae" d="M${line}" style="stroke: ${betavae.color}"/>
        <text x="${left + 4}" y="${y.at(1 - limits.alpha[0]) - 6}">β-VAE: α + λ = 1</text>
        <path class="infomax"/>
        <text class="infomax-name" text-anchor="end" x="${right}"></text>
        <g class="landmarks">${geometry.landmarks.map((l) => landmark(geometry, l)).join("")}</g>
        <circle class="run" r="8"/>
        <text class="run-name" x="11" y="3.5">run</text>
        <circle class="form" r="5.5"/>
        <circle class="aim" r="6.5"/>
        <text class="nearest" x="9" y="-8"></text>
      </svg>
      <div class="keys" role="group" aria-label="Members of the family">
        ${geometry.landmarks.map((l) => key(geometry, l)).join("")}
      </div>
    </div>
    <button type="button" class="help" popovertarget="family-help"
            aria-label="Help: the plane of objectives">?</button>
    <span class="saves"></span>
    <p class="what"></p>
    <p class="sum"></p>
    <div id="family-help" class="helptext" popover>${HELP}</div>
    <div class="announcer" aria-live="polite"></div>`;
}

/** The line α + λ = 1 as the points of a path, from its upper end to α = 1. */
function boundary({ x, y }) {
  const [count, from, to] = [80, x.start, x.at(1)];
  return Array.from({ length: count + 1 }, (_, i) => {
    const px = from + ((to - from) * i) / count;
    const lam = Math.max(1 - x.value(px), 0);
    return `${px.toFixed(1)} ${y.at(lam).toFixed(1)}`;
  }).join("L");
}

/** 0 and the powers of ten within a range. */
function ticks([low, high]) {
  const values = [0];
  for (let power = 1; power <= Math.max(-low, high); power *= 10) values.push(-power, power);
  return values.filter((value) => value >= low && value <= high);
}

const across = (px, value) => `
  <path class="axis" d="M${px} ${BOX.bottom}v3"/>
  <text class="tick" x="${px}" y="${BOX.bottom + 12}" text-anchor="middle">${short(value)}</text>`;

const upwards = (py, value) => `
  <path class="axis" d="M${BOX.left} ${py}h-3"/>
  <text class="tick" x="${BOX.left - 5}" y="${py + 3.5}" text-anchor="end">${short(value)}</text>`;

/** A tick's value: 10, 10³. */
function short(value) {
  if (Math.abs(value) < 1000) return String(value).replace("-", "−");
  return `10${POWERS[Math.round(Math.log10(value))]}`;
}

function landmark(geometry, { point, label, color }) {
  const [px, py] = geometry.place(point);
  if (!label) return `<circle class="dot" cx="${px}" cy="${py}" r="2.25"/>`;
  return `
    <circle cx="${px}" cy="${py}" r="3.5" style="fill: ${color}"/>
    <text class="member" x="${px + 5}" y="${py - 6}">${label}</text>`;
}

function key(geometry, { name, point }) {
  const [px, py] = geometry.place(point);
  const place = `left: ${(100 * px) / WIDTH}%; top: ${(100 * py) / HEIGHT}%`;
  return `<button type="button" tabindex="-1" data-name="${name}" style="${place}"></button>`;
}
