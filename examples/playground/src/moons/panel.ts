/** The panel of the two moons: trains both networks in turns, an epoch each, and draws them. */
import type { Device } from '@cert/jit';
import { methodName } from '../digits/verdict.js';
import { byId, partOf, roomIn } from '../element.js';
import { latest, nextFrame } from '../latest.js';
import { radiusText, shareText } from '../numbers.js';
import { type Epoch, historyChart } from './history-chart.js';
import { createLearner, EPOCHS, type Learner, type Method } from './learner.js';
import { drawPlane, gridPoints } from './plane.js';
import { twoMoons } from './points.js';

const TITLES = { certified: 'Certified training', plain: 'Plain training' } as const;
const POINTS = { count: 90, noise: 0.08, seed: 4 };

/** Starts the panel. @param report gets what goes wrong later */
export function startMoons(device: Device, report: (error: unknown) => void): void {
  const points = twoMoons(POINTS);
  const grid = gridPoints();
  const [slider, target] = [byId('moons-epsilon', HTMLInputElement), byId('moons-target', HTMLInputElement)];
  const bounds = byId('moons-method', HTMLSelectElement);
  const [button, status] = [byId('moons-run', HTMLButtonElement), byId('moons-status', HTMLElement)];
  const views = (['certified', 'plain'] as const).map((training) => ({ training, show: createView(TITLES[training]) }));
  const create = (): Learner[] =>
    views.map(({ training }) => createLearner(device, points, { training, target: Number(target.value), seed: 1 }));
  let learners = create();
  let history: Epoch[] = [];
  let training: Promise<void> | undefined;
  let stopping = false;

  /** Draws both networks. @returns the number of verified points of each */
  async function draw(): Promise<number[]> {
    const epsilon = Number(slider.value);
    const method: Method = bounds.value === 'ibp' ? 'ibp' : 'crown-ibp';
    const counts: number[] = [];
    for (const [i, learner] of learners.entries()) {
      const [scores, verified] = [await learner.scores(grid), await learner.verified(epsilon, method)];
      const count = verified.filter(Boolean).length;
      const own = await learner.scores(Float32Array.from(points.images));
      // A score that is NaN is an error, too.
      const errors = own.reduce((sum, score, k) => sum + Number(!(points.labels[k] === 1 ? score > 0 : score < 0)), 0);
      views[i]!.show({ scores, points: points.images, labels: points.labels, verified, epsilon }, [
        `Epoch ${learner.epoch} of ${EPOCHS}, training radius ${radiusText(learner.epsilon)}.`,
        `Misclassified: ${errors} of ${points.count}.`,
        `Verified by ${methodName(method)} at ε = ${radiusText(epsilon)}: ${shareText(count, points.count)}.`,
      ]);
      counts.push(count);
    }
    return counts;
  }

  const showHistory = () => {
    const place = byId('moons-history', HTMLElement);
    place.innerHTML = historyChart(history, { count: points.count, epochs: EPOCHS, width: roomIn(place) });
  };

  // One thing after the other: a step frees the weights that a drawing reads.
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(task: () => Promise<T>): Promise<T> => {
    const done = queue.then(task);
    queue = done.catch(() => {});
    return done;
  };

  const redraw = latest(async () => void (await inTurn(draw)), report);

  const finished = () => learners.every(({ epoch }) => epoch === EPOCHS);

  const showButtons = () => {
    const epoch = learners[0]!.epoch;
    const next = finished() ? 'Training finished' : epoch > 0 ? 'Continue training' : 'Start training';
    button.textContent = training === undefined ? next : 'Stop training';
    button.disabled = training === undefined && finished();
  };

  async function train(): Promise<void> {
    while (!stopping && !finished()) {
      await inTurn(async () => {
        for (const learner of learners) await learner.advance();
        history.push({ epoch: learners[0]!.epoch, verified: await draw() });
      });
      showHistory();
      await nextFrame();
    }
    const [certified, plain] = history.at(-1)?.verified ?? [];
    const state = finished() ? 'Training has ended' : 'Training has stopped';
    status.textContent = `${state} after epoch ${learners[0]!.epoch}. Verified: certified training ${certified}, plain training ${plain} of ${points.count} points.`;
  }

  const start = () => {
    stopping = false;
    status.textContent = 'Training …';
    training = train()
      .catch(report)
      .finally(() => {
        training = undefined;
        showButtons();
      });
    showButtons();
  };

  async function reset(): Promise<void> {
    stopping = true;
    await training;
    await inTurn(async () => {
      for (const learner of learners) await learner.dispose();
      [learners, history] = [create(), []];
      await draw();
    });
    status.textContent = 'Reset: both networks are untrained.';
    showHistory();
    showButtons();
  }

  button.addEventListener('click', () => {
    if (training === undefined) start();
    else stopping = true;
  });
  const beginAgain = latest(reset, report);
  byId('moons-reset', HTMLButtonElement).addEventListener('click', () => beginAgain(undefined));
  target.addEventListener('change', () => beginAgain(undefined));
  const showRadii = () => {
    byId('moons-epsilon-text', HTMLOutputElement).value = radiusText(Number(slider.value));
    byId('moons-target-text', HTMLOutputElement).value = radiusText(Number(target.value));
  };
  target.addEventListener('input', showRadii);
  bounds.addEventListener('change', () => redraw(undefined));
  slider.addEventListener('input', () => {
    showRadii();
    redraw(undefined);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw(undefined));
  addEventListener('resize', showHistory);
  showRadii();
  showHistory();
  redraw(undefined);
}

/** Adds the view of a network. @returns shows the plane and some lines of text */
function createView(title: string): (plane: Parameters<typeof drawPlane>[1], lines: readonly string[]) => void {
  const copy = byId('moons-card', HTMLTemplateElement).content.cloneNode(true);
  if (!(copy instanceof DocumentFragment)) throw new Error('The template of the card is empty.');
  const canvas = partOf(copy, 'plane', HTMLCanvasElement);
  const text = partOf(copy, 'text', HTMLElement);
  partOf(copy, 'title', HTMLElement).textContent = title;
  byId('moons-cards', HTMLElement).append(copy);
  return (plane, lines) => {
    drawPlane(canvas, plane);
    canvas.setAttribute('aria-label', `${title}: decision regions and balls. ${lines.join(' ')}`);
    text.textContent = lines.join(' ');
  };
}
