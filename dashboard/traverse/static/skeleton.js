/** The elements of the page of traversals; they are made once and stay. */

import { MANY, ONE } from "../live/words.js";

export const MODES = {
  manifold: "Manifold",
  dimensions: "Dimensions",
  between: `Between two ${MANY}`,
};

const HELP = {
  manifold: `
    <p>What the decoder makes of the whole prior: ${MANY} at the middles of equal shares of N(0, 1)
    along two dimensions, so that each stands for as much of the prior as any other. The
    other numbers of the code are those at the right.</p>
    <p>A good code fills it without gaps: none is unlike all data, and none is wasted.</p>`,
  dimensions: `
    <p>A row for each dimension of the code, from −3 to 3 with the others as at the right; those of
    the highest rate first, E KL(q(zⱼ|x) ‖ N(0, 1)) in nats per ${ONE}.</p>
    <p>A dimension that says nothing has a rate of 0 and the same ${ONE} all along.</p>`,
  between: `
    <p>From the chosen ${ONE} to another one, by way of their mean codes. <b>straight</b>:
    (1 − t)&#8202;a + t&#8202;b. <b>spherical</b>: along the arc from a to b, which stays as far from
    the origin as the prior has its mass; the straight way passes too close to it where there are many
    dimensions.</p>
    <p>The outermost are the originals.</p>`,
};

export const SKELETON = `
  <div class="controls">
    <span class="modes" role="group" aria-label="What is shown">
      ${Object.entries(MODES)
        .map(([mode, name]) => `<button type="button" class="tool" data-mode="${mode}">${name}</button>`)
        .join("")}
    </span>
    <button type="button" class="help" popovertarget="traverse-help" aria-label="Help: What is shown">?</button>
    <div id="traverse-help" class="helptext" popover></div>
    <span class="axes" hidden>
      <select class="tool" aria-label="Dimension across"></select>
      <select class="tool" aria-label="Dimension up"></select>
    </span>
    <span class="runs"></span>
    <span class="status" role="status"></span>
    <span class="saves"></span>
  </div>
  <div class="table">
    <div class="stage"><canvas role="img" tabindex="0" aria-label="Decoded images"></canvas>
      <p class="hint" hidden></p><div class="tip" aria-hidden="true" hidden></div></div>
    <aside aria-label="The code">
      <div class="ends" role="group" aria-label="Which end the next one is for" hidden>
        <button type="button" class="tool" data-end="from">From</button>
        <button type="button" class="tool" data-end="to">To</button>
      </div>
      <h3 class="around">Around</h3>
      <div class="picker" role="group" aria-label="What to start from"></div>
      <div class="faces">
        <figure class="x"><canvas></canvas><figcaption>x</figcaption></figure>
        <figure class="decoded"><canvas></canvas><figcaption>decoded z</figcaption></figure>
      </div>
      <h3>z <small>by rate, nats</small></h3>
      <div class="sliders"></div>
    </aside>
  </div>
  <div class="time"></div>`;

export const help = (mode) => HELP[mode];
