/** The panel of the digits: from the drawing to bounds, radii and attacks of both networks. */
import type { Device } from '@cert/jit';
import type { DecodedCheckpoint } from '@cert/models';
import { byId, element, roomIn } from '../element.js';
import { checkpoints, testDigits } from '../embedded.js';
import { latest } from '../latest.js';
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
  /** The newest analysis, and its image: while the pen moves, an image before the current one. */
  analyzed: { readonly image: Image; readonly analysis: Analysis } | null;
  /** Of the current image, by method; null while it is searched for. */
  radii: (number | null)[];
  /** Of the current image. */
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
/** The same for bounds while the pen is down: on a phone, lines would lag behind the finger otherwise. */
const PAUSE = 100;

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
      ...{ analyzed: null, radii: [], attacks: [] },
    };
  });
  let image: Image | null = null;
  let [resting, pausing]: (ReturnType<typeof setTimeout> | undefined)[] = [];
  let attacking: AbortController | undefined;
  let searching = new AbortController();

  /** Whether both networks have read the current image. */
  const isAnalyzed = () => image !== null && sides.every(({ analyzed }) => analyzed?.image === image);

  /** Draws what is known. @returns the verdicts in words */
  const show = (): string[] => {
    const verdicts = sides.flatMap(({ name, card, analyzed, radii, attacks }) => {
      const verdict = card.show(
        image && analyzed && { ...analyzed.image, analysis: analyzed.analysis, radii, attacks },
      );
      return verdict === null ? [] : [`${name}: ${verdict.heading}. ${verdict.text}`];
    });
    const widths = sides.map(({ analyzed }) => (image && analyzed?.analysis.widths) ?? []);
    const place = byId('width-chart', HTMLElement);
    place.innerHTML = widthChart(widths, ['certified', 'plain'], roomIn(place));
    attackButton.disabled = !isAnalyzed() || Number(slider.value) === 0;
    return verdicts;
  };

  /** Nothing that was computed before stays on the page. */
  const onError = (error: unknown): void => {
    // Another image stopped what was running.
    if (error instanceof DOMException && error.name === 'AbortError') return;
    for (const side of sides) side.analyzed = null;
    show();
    report(error);
  };

  const analyze = latest(async ({ image: asked, epsilon }: { image: Image; epsilon: number }) => {
    for (const side of sides) {
      side.analyzed = { image: asked, analysis: await side.network.analyze(asked.pixels, epsilon) };
    }
    show();
    restSoon();
  }, onError);

  /** Slower work waits until pen and slider rest. */
  const restSoon = () => {
    clearTimeout(resting);
    resting = setTimeout(() => {
      if (image !== null && !isAnalyzed()) return;
      const verdicts = show();
      // The cards say it already to those who see them.
      status.classList.toggle('unseen', image !== null);
      status.textContent = image === null ? 'Draw a digit, or take a test digit.' : verdicts.join(' ');
      if (image !== null) searchRadii(image, searching.signal).catch(onError);
    }, REST);
  };

  /** Finds the radii that are missing. */
  async function searchRadii({ pixels }: Image, signal: AbortSignal): Promise<void> {
    for (const side of sides) {
      for (const [i, method] of METHODS.entries()) {
        const prediction = side.analyzed?.analysis.prediction;
        if (prediction == null || side.radii[i] !== undefined) continue;
        side.radii[i] = null;
        const radius = await side.network.radius(pixels, prediction, method, signal);
        signal.throwIfAborted();
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
    restSoon();
  };

  const setImage = (next: Image | null, text: string, penDown = false) => {
    attacking?.abort();
    searching.abort();
    [image, searching] = [next, new AbortController()];
    for (const side of sides) Object.assign(side, { radii: [], attacks: [] });
    showDigit(byId('seen', HTMLCanvasElement), next?.pixels ?? new Float32Array(28 * 28));
    byId('seen-text', HTMLElement).textContent = text;
    attackButton.disabled = true;
    clearTimeout(pausing);
    if (penDown) pausing = setTimeout(update, PAUSE);
    else update();
  };

  async function attackBoth(asked: Image): Promise<void> {
    const [epsilon, stop] = [Number(slider.value), new AbortController()];
    attacking = stop;
    attackButton.textContent = 'Attack …';
    attackButton.setAttribute('aria-disabled', 'true');
    try {
      for (const side of sides) {
        const prediction = side.analyzed?.analysis.prediction;
        if (prediction == null) continue;
        const options = { epsilon, signal: stop.signal };
        for await (const result of attackAndBisect(side.network, asked.pixels, prediction, options)) {
          stop.signal.throwIfAborted();
          side.attacks = [...side.attacks, result];
          show();
        }
      }
      restSoon();
    } finally {
      attacking = undefined;
      attackButton.textContent = 'Attack';
      attackButton.removeAttribute('aria-disabled');
    }
  }

  attackButton.addEventListener('click', () => {
    if (image === null || !isAnalyzed() || attacking !== undefined) return;
    attackBoth(image).catch(onError);
  });
  slider.addEventListener('input', update);
  addEventListener('resize', show);

  const pressed = startSamples((pixels, label, button) => {
    pad.clear();
    button.setAttribute('aria-pressed', 'true');
    setImage({ pixels, label }, `As the networks read it: 28 × 28 pixels. A test digit, label ${label}.`);
  });
  const pad = createPad(byId('pad', HTMLElement), (pixels, penDown) => {
    for (const button of pressed) button.setAttribute('aria-pressed', 'false');
    if (pixels === null) setImage(null, 'Nothing drawn yet.');
    else setImage({ pixels, label: null }, 'As the networks read it: 28 × 28 pixels, scaled and centered.', penDown);
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
