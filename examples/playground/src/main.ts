/** Starts the page: one device, two panels. */
import './style.css';
import { tf } from '@cert/core';
import { eagerDevice } from '@cert/jit';
import { startDigits } from './digits/panel.js';
import { byId } from './element.js';
import { startMoons } from './moons/panel.js';

/** Shows what went wrong where everybody sees it; what the page said before may be outdated. */
function showError(error: unknown): void {
  const place = byId('error', HTMLElement);
  place.hidden = false;
  place.textContent = `Something went wrong: ${error instanceof Error ? error.message : String(error)}`;
  console.error(error);
}

try {
  tf.enableProdMode();
  // In plain JavaScript: these networks are small, and WebGL rounds to 16 bits on some phones, which makes bounds wrong.
  await tf.setBackend('cpu');
  const device = eagerDevice();
  startDigits(device, showError);
  startMoons(device, showError);
} catch (error) {
  showError(error);
}
