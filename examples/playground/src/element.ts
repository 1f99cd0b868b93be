/** Finding and making elements with their types. */

/** The element of the page with an id. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`The page has no ${type.name} with the id "${id}".`);
}

/** The element inside `parent` with `data-part="name"`. */
export function partOf<T extends Element>(parent: ParentNode, name: string, type: new () => T): T {
  const found = parent.querySelector(`[data-part="${name}"]`);
  if (found instanceof type) return found;
  throw new Error(`There is no ${type.name} with data-part="${name}".`);
}

/** A new element with text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: { readonly [name: string]: string } = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The width that a chart may have, in pixels. */
export const roomIn = ({ clientWidth }: HTMLElement): number => Math.min(860, Math.max(300, clientWidth));

/** The context of a canvas. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('This browser cannot draw on a canvas.');
  return context;
}
