/** The panel of the digits: from the drawing to bounds, radii and attacks of both networks. */
import type { Device } from '@cert/jit';
import type { DecodedCheckpoint } from '@cert/models';
import { byId, element, roomIn } from '../element.js';
import { checkpoints, testDigits } from '../embedded.js';
import { latest, nextFrame } from '../latest.js';
import { radiusText } from '../numbers.js';
import { type AttackResult, attackAndBisect } from './attack.js';
import { type Card, createCard } from './card.js';
import { type Analysis, createDigitNetwork, type DigitNetwork, METHODS } from './network.js';
import { createPad } from './pad.js';
import { showDigit } from './pictures.js';
import { widthChart } from './width-chart.js';

/** A network, its card, and what is known of the current image. */
interface Side {
  readonly name: string;
  readonly network: DigitNetwork;
  readonly card: Card;
  analysis: Analysis | null;
  radii: (number | null)[];
  attacks: AttackResult[];
}

/** The image that both networks read. */
interface Image {
  readonly pixels: Float32Array;
  readonly label: number | null;
}

const TEXTS = {
  certified: ['Certified network', 'trained with IBP bounds ("fast" method)'],
  plain: ['Plain network', 'trained on clean images only'],
} as const;

/** How long the pen or the slider rests before slower work begins, in milliseconds. */
const REST = 250;

/** Starts the panel. @param report gets what goes wrong later */
export function startDigits(device: Device, report: (error: unknown) => void): void {
  const slider = byId('epsilon', HTMLInputElement);
  const [attackButton, status] = [byId('attack', HTMLButtonElement), byId('status', HTMLElement)];
  const loaded = checkpoints();
  const sides = (['certified', 'plain'] as const).map((key): Side => {
    const [title, how] = TEXTS[key];
    return {
      name: title,
      network: createDigitNetwork(device, loaded[key]),
      card: createCard(byId('cards', HTMLElement), title, `${how}; ${errorsText(loaded[key])}`, Number(slider.max)),
      ...{ analysis: null, radii: [], attacks: [] },
    };
  });
  let image: Image | null = null;
  let resting: ReturnType<typeof setTimeout> | undefined;
  let attacking: AbortController | undefined;

  const show = (): void => {
    const verdicts = sides.map(({ name, card, analysis, radii, attacks }) => {
      const verdict = card.show(image && analysis && { ...image, analysis, radii, attacks });
      return verdict && `${name}: ${verdict.heading}. ${verdict.text}`;
    });
    const widths = sides.map(({ analysis }) => analysis?.widths ?? []);
    const place = byId('width-chart', HTMLElement);
    place.innerHTML = widthChart(widths, ['certified', 'plain'], roomIn(place));
    attackButton.disabled = image === null || Number(slider.value) === 0;
    // Announced once the image and the radius rest.
    clearTimeout(resting);
    resting = setTimeout(() => {
      // The cards say it already to those who see them.
      status.classList.toggle('unseen', image !== null);
      status.textContent = image === null ? 'Draw a digit, or take a test digit.' : verdicts.join(' ');
      searchRadii(image).catch(onError);
    }, REST);
  };

  /** Nothing that was computed before stays on the page. */
  const onError = (error: unknown): void => {
    for (const side of sides) side.analysis = null;
    show();
    report(error);
  };

  const analyze = latest(async ({ image: asked, epsilon }: { image: Image; epsilon: number }) => {
    for (const side of sides) {
      const analysis = await side.network.analyze(asked.pixels, epsilon);
      if (image === asked) side.analysis = analysis;
    }
    show();
  }, onError);

  /** Finds the radii that are missing; gives up when there is another image. */
  async function searchRadii(asked: Image | null): Promise<void> {
    for (const side of sides) {
      for (const [i, method] of METHODS.entries()) {
        const prediction = side.analysis?.prediction;
        if (asked === null || image !== asked || prediction == null || side.radii[i] !== undefined) continue;
        side.radii[i] = null;
        await nextFrame();
        const radius = await side.network.radius(asked.pixels, prediction, method);
        if (image !== asked) return;
        side.radii[i] = radius;
        show();
      }
    }
  }

  const update = () => {
    const epsilon = Number(slider.value);
    byId('epsilon-text', HTMLOutputElement).value = `${radiusText(epsilon)} (${Math.round(255 * epsilon)}/255)`;
    if (image === null) show();
    else analyze({ image, epsilon });
  };

  const setImage = (next: Image | null, text: string) => {
    attacking?.abort();
    image = next;
    for (const side of sides) Object.assign(side, { analysis: null, radii: [], attacks: [] });
    showDigit(byId('seen', HTMLCanvasElement), next?.pixels ?? new Float32Array(28 * 28));
    byId('seen-text', HTMLElement).textContent = text;
    update();
  };

  async function attackBoth(asked: Image): Promise<void> {
    const [epsilon, stop] = [Number(slider.value), new AbortController()];
    attacking = stop;
    attackButton.textContent = 'Attack …';
    attackButton.setAttribute('aria-disabled', 'true');
    try {
      for (const side of sides) {
        const prediction = side.analysis?.prediction;
        if (prediction == null) continue;
        const options = { epsilon, signal: stop.signal };
        for await (const result of attackAndBisect(side.network, asked.pixels, prediction, options)) {
          side.attacks = [...side.attacks, result];
          show();
        }
      }
    } finally {
      attacking = undefined;
      attackButton.textContent = 'Attack';
      attackButton.removeAttribute('aria-disabled');
    }
  }

  attackButton.addEventListener('click', () => {
    if (image === null || attacking !== undefined) return;
    attackBoth(image).catch((error: unknown) => {
      // Another image stopped it.
      if (!(error instanceof DOMException && error.name === 'AbortError')) onError(error);
    });
  });
  slider.addEventListener('input', update);
  addEventListener('resize', show);

  const pressed = startSamples((pixels, label, button) => {
    pad.clear();
    button.setAttribute('aria-pressed', 'true');
    setImage({ pixels, label }, `As the networks read it: 28 × 28 pixels. A test digit, label ${label}.`);
  });
  const pad = createPad(byId('pad', HTMLElement), (pixels) => {
    for (const button of pressed) button.setAttribute('aria-pressed', 'false');
    if (pixels === null) setImage(null, 'Nothing drawn yet.');
    else setImage({ pixels, label: null }, 'As the networks read it: 28 × 28 pixels, scaled and centered.');
  });
  byId('clear', HTMLButtonElement).addEventListener('click', () => pad.clear());
  byId('undo', HTMLButtonElement).addEventListener('click', () => pad.undo());
  pressed[0]!.click();
}

/** The row of test digits. @returns its buttons */
function startSamples(
  choose: (pixels: Float32Array, label: number, button: HTMLButtonElement) => void,
): readonly HTMLButtonElement[] {
  const { images, labels, count, scale } = testDigits();
  const size = images.length / count;
  return Array.from({ length: count }, (_, i) => {
    const pixels = Float32Array.from(images.subarray(i * size, (i + 1) * size), (value) => value * scale);
    const canvas = element('canvas', { 'aria-hidden': 'true' });
    showDigit(canvas, pixels);
    const name = `Test digit ${i + 1}, a ${labels[i]}`;
    const button = element('button', { type: 'button', 'aria-pressed': 'false', 'aria-label': name }, canvas);
    button.addEventListener('click', () => choose(pixels, labels[i]!, button));
    byId('samples', HTMLElement).append(button);
    return button;
  });
}

/** Errors on the test set, from the metadata of the checkpoint. */
function errorsText({ metadata }: DecodedCheckpoint): string {
  const numbers = metadata !== null && typeof metadata === 'object' && !Array.isArray(metadata) ? metadata : {};
  const percent = (name: string) => {
    const value: unknown = Reflect.get(numbers, name);
    return typeof value === 'number' ? `${(100 * value).toFixed(1)} %` : 'unknown';
  };
  return `on 2,000 test digits ${percent('standardError')} standard error, ${percent('verifiedError')} verified error (IBP) at ε = 0.1`;
}
