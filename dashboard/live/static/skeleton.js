/** The elements of the view; they are made once and stay. */

import { canvas, panel, RESET, STAMP } from "./panel.js";
import { MANY, ONE } from "./words.js";

const HELP = {
  curves: `
    <p>What is minimised, and the terms it is a weighted sum of, each on its own scale and
    unweighted.</p>
    <p><b>Solid</b>: training ${MANY}, averaged over the steps since the last point.
    <b>Dashed</b>: held-out ${MANY}, at the end of epochs. The first
    4 % of the steps may lie outside of the picture; zoom in or press <b>log</b> to see them.
    <b>Dotted</b>: a knob was turned here. <b>▲</b>: an estimate has blown up and is not drawn.</p>
    <p>Point to read values. Drag or turn the wheel to zoom, double-click for all of it.
    Keys: ← → read, + − zoom, 0 all.</p>
    <p>Click to see the other panels as they were at that step.</p>`,
  plane: `
    <p>Each point is the mean μ(x) of the code of one ${ONE}, coloured by class; the name of a
    class stands at its median.</p>
    <p>The dashed circles are the prior p(z) = N(0, I) at 1σ and 2σ. Where the cloud of all codes,
    the aggregated posterior q(z), matches the prior, samples look like data.</p>
    <p class="sight" hidden><b></b><span></span></p>
    <p>Drag to move, turn the wheel to zoom, double-click for all of it. Keys: arrows, + −, 0.</p>`,
  pairs: `
    <p><b>x</b>: ${MANY} that were not trained on. <b>x̂</b>: the same after being encoded to the mean
    of their code and decoded again.</p>
    <p>What is lost between them is the distortion.</p>`,
  samples: `
    <p>The decoder's means for z drawn from the prior N(0, I), always for the same draws, so that one
    sees a sample change.</p>
    <p>They are good where the codes fill the prior and leave no gaps.</p>`,
};

/** What the colours, arrows and histograms of the plane's overlay mean. */
const KEY = `
  <div class="key" aria-hidden="true" hidden>
    <div data-for="field">
      <p><span class="low"></span><i class="ramp"></i><span class="high"></span></p>
      <p><span>too few</span><span>too many codes</span></p>
    </div>
    <div data-for="flow">
      <p>
        <svg viewBox="0 0 34 10"><path d="M2 5H32M27.5 2.3L32 5L27.5 7.7" /></svg>
        <span class="length"></span>
      </p>
    </div>
    <div data-for="scores">
      <p class="bound"></p>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none">
        <path class="together" /><path class="apart" />
      </svg>
      <p><span class="least"></span><span>t</span><span class="most"></span></p>
      <p class="names"><span><i></i> (x, z) together</span><span><i></i> apart</span></p>
    </div>
  </div>`;

/** What there will be to see, before anything is trained. */
const before = (text) => `<p class="hint before" hidden>${text}</p>`;

/** Where images are drawn pixel by pixel there is no mean to show. */
const DRAWS = `<span class="draws" title="One draw from p(x|z) each, all with the same noise: what
differs between two of them comes from the code." hidden>same noise</span>`;

const section = (name, title, tools, stage, foot) =>
  panel({ name, title, help: HELP[name], tools, stage, foot });

export const SKELETON = `
  <div class="strip">
    <span class="state"><i></i><b role="status"></b></span>
    <span class="saying" hidden></span>
    <span data-fact="epoch" hidden>epoch <b></b> / <i></i></span>
    <span data-fact="step" hidden>step <b></b> / <i></i></span>
    <span data-fact="rate" hidden><b></b> ${MANY}/s</span>
    <span data-fact="left" hidden><b></b> left</span>
    <span data-fact="took" hidden>trained for <b></b></span>
    <span class="link" hidden>reconnecting …</span>
    <div class="bar" role="progressbar" aria-label="Progress" aria-valuemin="0" aria-valuemax="100"><i></i></div>
  </div>
  <div class="panels">
    ${section(
      "curves",
      "What the loss is made of",
      `${RESET}<button type="button" class="tool log" aria-pressed="false">log</button>`,
      `${canvas("Curves", 'tabindex="0"')}${before("The loss and its terms, step by step.")}
       <div class="tip" aria-hidden="true" hidden></div>`,
      '<div class="legend" role="group" aria-label="Curves shown"></div>',
    )}
    ${section(
      "plane",
      `<span class="lead">Where the encoder puts the</span> ${MANY}`,
      `<span class="axes" hidden>
         <button type="button" class="tool pca" aria-pressed="true">PCA</button>
         <select class="tool" aria-label="Axis across"></select>
         <select class="tool" aria-label="Axis up"></select>
       </span>
       <button type="button" class="tool sees" aria-pressed="false" hidden
         ><span>what </span><b></b><span> sees</span></button>${STAMP}`,
      `${canvas("Latent plane", 'tabindex="0"')}${RESET}
       ${KEY}<p class="hint" hidden></p><div class="tip" aria-hidden="true" hidden></div>`,
      '<div class="legend" role="group" aria-label="Codes shown"></div>',
    )}
    ${section("pairs", `Unseen ${MANY}<span class="more">, and what comes back</span>`, DRAWS + STAMP,
      canvas("Reconstructions") + before("Encoded and decoded again: what is lost?"))}
    ${section("samples", `New ${MANY}<span class="more">, drawn</span> from the prior`, DRAWS + STAMP,
      canvas("Samples") + before("Decoded from random z: do they look real?"))}
  </div>
  <div class="time"></div>
  <div class="announcer" aria-live="polite"></div>`;
