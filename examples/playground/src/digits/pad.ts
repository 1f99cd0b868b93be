/** The drawing area: pointer, touch, or arrow keys with the space bar as the pen. */
import { contextOf } from '../element.js';
import { drawDigit, type Point, type Stroke } from './strokes.js';

/** A drawing area. */
export interface Pad {
  /** Forgets all strokes. */
  clear(): void;
  /** Takes back the last stroke. */
  undo(): void;
}

/** How far an arrow key moves the pen. */
const STEP = 0.04;

/**
 * Makes an element with a canvas a drawing area.
 *
 * @param onDraw gets the digit [28 * 28] after each change, null when the area is empty, and whether the pen is down
 */
export function createPad(area: HTMLElement, onDraw: (digit: Float32Array | null, penDown: boolean) => void): Pad {
  const canvas = area.getElementsByTagName('canvas')[0]!;
  const context = contextOf(canvas);
  area.tabIndex = 0;
  const strokes: Point[][] = [];
  let drawing: Point[] | undefined;
  let [pen, penDown] = [{ x: 0.5, y: 0.2 }, false];

  function show(): void {
    const { width, height } = canvas;
    const { color } = getComputedStyle(area);
    context.clearRect(0, 0, width, height);
    Object.assign(context, { lineWidth: width / 14, lineCap: 'round', lineJoin: 'round', strokeStyle: color });
    for (const stroke of strokes) path(stroke, width, height);
    if (strokes.length === 0) {
      Object.assign(context, { fillStyle: color, font: '40px system-ui', textAlign: 'center', globalAlpha: 0.5 });
      context.fillText('draw here', width / 2, height / 2);
      context.globalAlpha = 1;
    }
    if (!area.matches(':focus-visible')) return;
    // Where the keys move the pen: a ring, filled while the pen is down.
    context.lineWidth = 3;
    context.fillStyle = color;
    context.beginPath();
    context.arc(pen.x * width, pen.y * height, 12, 0, 2 * Math.PI);
    context.stroke();
    if (penDown) context.fill();
  }

  function path([first, ...others]: Stroke, width: number, height: number): void {
    context.beginPath();
    context.moveTo(first!.x * width, first!.y * height);
    for (const { x, y } of others.length === 0 ? [first!] : others) context.lineTo(x * width, y * height);
    context.stroke();
  }

  const changed = () => {
    show();
    onDraw(drawDigit(strokes), drawing !== undefined);
  };

  const begin = (point: Point) => {
    drawing = [point];
    strokes.push(drawing);
    changed();
  };

  const pointOf = ({ clientX, clientY }: PointerEvent): Point => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  };

  area.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    area.setPointerCapture(event.pointerId);
    begin(pointOf(event));
  });
  area.addEventListener('pointermove', (event) => {
    if (drawing === undefined || !area.hasPointerCapture(event.pointerId)) return;
    // A fast pointer has moved several times since the last event.
    const moves = event.getCoalescedEvents?.() ?? [];
    drawing.push(...(moves.length > 0 ? moves : [event]).map(pointOf));
    changed();
  });
  for (const end of ['pointerup', 'pointercancel'] as const) {
    area.addEventListener(end, () => {
      if (drawing === undefined) return;
      drawing = undefined;
      changed();
    });
  }

  const MOVES: { readonly [key: string]: Point } = {
    ...{ ArrowLeft: { x: -STEP, y: 0 }, ArrowRight: { x: STEP, y: 0 } },
    ...{ ArrowUp: { x: 0, y: -STEP }, ArrowDown: { x: 0, y: STEP } },
  };
  area.addEventListener('keydown', (event) => {
    const move = MOVES[event.key];
    if (move !== undefined) {
      pen = { x: within(pen.x + move.x), y: within(pen.y + move.y) };
      if (penDown) drawing?.push(pen);
      if (penDown) changed();
      else show();
    } else if (event.key === ' ') {
      penDown = !penDown;
      if (penDown) {
        begin(pen);
      } else {
        drawing = undefined;
        changed();
      }
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      pad.clear();
    } else {
      return;
    }
    event.preventDefault();
  });
  show();
  for (const each of ['focus', 'blur'] as const) area.addEventListener(each, show);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);

  const pad: Pad = {
    clear() {
      strokes.length = 0;
      [drawing, penDown] = [undefined, false];
      changed();
    },
    undo() {
      strokes.pop();
      [drawing, penDown] = [undefined, false];
      changed();
    },
  };
  return pad;
}

const within = (value: number) => Math.min(0.98, Math.max(0.02, value));
