/** The elements of the page's view; they are made once and stay. */

import { canvas, panel, RESET } from "../live/panel.js";
import { MANY, ONE } from "../live/words.js";

const group = (name, label, entries) => `
  <span class="choices" role="group" aria-label="${label}" data-choice="${name}">
    <span>${label}</span>
    ${Object.entries(entries)
      .map(([value, text]) => `<button type="button" class="tool" data-value="${value}">${text}</button>`)
      .join("")}
  </span>`;

const landscape = panel({
  name: "plane",
  title: "q(z) against p(z)",
  help: `
    <p>Each point is the code of one ${ONE}, coloured by class: the mean of its posterior q(z|x), or
    one draw from it. <b>Ellipses</b> are posteriors at 1σ; <b>Pictures</b> are the ${MANY}.</p>
    <p>The aggregated posterior q(z) is the mean of all posteriors, exactly. Its <b>contours</b> are
    filled; those of the prior N(0, I), at the same densities, are dashed: ½σ, 1σ … 2½σ. The
    <b>difference</b> q(z) − p(z) is red where there are too many codes, blue where too few; its
    colour goes by its root, so that little is seen, too.</p>
    <p>Point at a place to decode it. Drag around codes to select them, or click on one. Drag with
    Shift to move, turn the wheel to zoom, double-click for all of it.</p>
    <p>Keys: arrows move the place that is decoded, with Shift a little; Enter selects the nearest
    code, Escape none; + − 0 zoom.</p>`,
  tools: `
    <span class="axes" hidden>
      <button type="button" class="tool pca">PCA</button>
      <select class="tool" aria-label="Axis across"></select>
      <select class="tool" aria-label="Axis up"></select>
    </span>
    ${group("split", "", { train: "Train", test: "Test" })}`,
  stage: `${canvas("Latent plane", 'tabindex="0"')}${RESET}
    <div class="key" aria-hidden="true" hidden>
      <div data-for="field">
        <p><span class="low"></span><i class="ramp"></i><span class="high"></span></p>
        <p><span>too few</span><span>q(z) − p(z)</span><span>too many</span></p>
      </div>
      <p class="lines"></p>
    </div>
    <p class="hint" hidden></p><div class="tip" aria-hidden="true" hidden></div>`,
  foot: `
    <div class="legend" role="group" aria-label="Classes shown"></div>
    <div class="choosing">
      ${group("codes", "Codes", {
        means: "Means",
        draws: "Draws",
        ellipses: "Ellipses",
        pictures: "Pictures",
        none: "None",
      })}
      ${group("field", "q(z)", { contours: "Contours", difference: "Difference", none: "None" })}
    </div>`,
});

const decoded = panel({
  name: "decoded",
  title: "What the decoder makes of it",
  help: `
    <p>The mean of p(x|z) at the place pointed at on the plane, decoded here as the pointer moves,
    without asking the server; or from images decoded ahead, where the decoder is no network of
    fully connected layers. Where that was not decoded ahead, the nearest image that was stands
    faded until the server has decoded it.</p>
    <p>Of more than two units a plane shows two; the <b>others</b> are 0, or as in the code that is
    nearest on the plane, or as in what is selected.</p>`,
  stage: `<canvas role="img" aria-label="Decoded image"></canvas>
    <p class="mark" role="status"></p>`,
  foot: `
    <div class="about">
      <p class="at" aria-live="off"></p>
      <p class="rest" hidden><label>others
        <select class="tool">
          <option value="zero">0</option>
          <option value="nearest">of the nearest code</option>
          <option value="focus">of the selected one</option>
        </select></label></p>
      <p class="original" hidden><canvas width="1" height="1"></canvas><span></span></p>
      <p class="note"></p>
    </div>`,
});

const chosen = panel({
  name: "chosen",
  title: `Some ${MANY}`,
  help: `
    <p>What was encoded, above what the decoder makes of the means of the codes. Those that are selected on
    the plane; else some of each class.</p>
    <p>Press one to find it in every panel: as a ring on the plane, as a line where it lies in
    each unit and at its distance from the origin. The posteriors of selected ones are drawn at 1σ
    on the plane and as curves beside N(0, 1).</p>
    <p>A run keeps small pictures of the ${MANY} whose codes are drawn, 8 MB of them at most.</p>`,
  tools: `<button type="button" class="tool clear" hidden>Select none</button>`,
  stage: `<div class="picks" role="group" aria-label="Images"></div>`,
  foot: `<p class="note" role="status"></p><p class="said" aria-live="polite"></p>`,
});

const units = panel({
  name: "units",
  title: "Each unit, by its rate",
  help: `
    <p>The density of each unit under q(z), filled, beside N(0, 1), dashed. The number is the unit's
    rate, mean KL(q(z<sub>j</sub>|x) ‖ p(z<sub>j</sub>)) in nats: units that say nothing of the ${ONE} have 0 and come
    last.</p>
    <p>Press one to see it larger. Those on the plane's axes have their names in bold.</p>`,
  tools: `<span class="note"></span>`,
  stage: canvas("Units", 'tabindex="0"'),
});

const unit = panel({
  name: "unit",
  title: "z₁ beside N(0, 1)",
  help: `
    <p><b>Left</b>: the density of one unit under q(z), the mean of all posteriors, and how far it is
    from N(0, 1), as KL(q(z<sub>j</sub>) ‖ p(z<sub>j</sub>)). Curves are posteriors of what is selected, not to scale with
    each other's heights.</p>
    <p><b>Right</b>: its quantiles against those of N(0, 1). On the diagonal it is normal; flatter
    than it is too narrow, steeper too wide, an S has tails that are too short or too long.</p>`,
  tools: `
    <button type="button" class="tool" data-axis="0" hidden>across</button>
    <button type="button" class="tool" data-axis="1" hidden>up</button>`,
  stage: canvas("One unit"),
});

const rings = panel({
  name: "rings",
  title: "‖z‖ beside χ",
  help: `
    <p>How far draws from q(z) lie from the origin, filled, and draws of the prior, dashed: the χ
    distribution with as many degrees of freedom as the code has units.</p>
    <p>In many dimensions nearly all of the prior lies in a thin shell: codes nearer to the origin
    than it, or farther off, are where samples never are.</p>
    <p>What is selected stands where one draw from its posterior lies.</p>`,
  stage: canvas("Distances from the origin"),
});

const matrix = panel({
  name: "matrix",
  title: "Covariance of q(z)",
  help: `
    <p>Covariances of the units under q(z): of the means, and on the diagonal also what posteriors
    are wide. The prior's is I: ones on the diagonal, nothing beside it.</p>
    <p>log det is the volume of the cloud of codes: 0 is the prior's, above it they are blown up,
    below it pressed together.</p>
    <p>Press a pair to see it on the plane. Keys: arrows, Enter. At most 64 units, by their rate.</p>`,
  tools: `<span class="note"></span>`,
  stage: `${canvas("Covariance", 'tabindex="0"')}<div class="tip" aria-hidden="true" hidden></div>`,
});

export const SKELETON = `
  <div class="numbers"></div>
  <div class="halves">
    ${landscape}
    <div class="side">${decoded}${chosen}${units}${unit}${rings}${matrix}</div>
  </div>
  <div class="time"></div>`;
