/** Saving what is shown: pictures, numbers and films. */

export class Saves {
  constructor(element, view) {
    Object.assign(this, { element, view });
  }
}
