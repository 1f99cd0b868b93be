/** What a page or a web worker offers, as far as the device `web` uses it. */

/** A graphics adapter of WebGPU. */
interface Adapter {
  readonly info?: AdapterInfo;
  /** Whether it is a program; older browsers say so here. */
  readonly isFallbackAdapter?: boolean;
}

/** What a browser says of an adapter: words, or empty strings. */
export interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

/** What a server says of a file. */
interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
}

/** The globals of a page or a web worker; any of them may be missing. */
export interface Page {
  readonly location?: { readonly href: string };
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<Adapter | null> };
  };
  readonly fetch?: (address: string, options?: { readonly method?: string }) => Promise<Answer>;
}

/** The page that this code runs in. */
export const thisPage: Page = globalThis;

/** Programs that pretend to be an adapter. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

const wordsOf = ({ vendor = '', architecture = '', description = '' }: AdapterInfo): string =>
  description || [vendor, architecture].filter(Boolean).join(' ');

/** The name of an adapter, and whether it is a program that computes on the processor. */
export function describeAdapter(info: AdapterInfo = {}): { readonly name: string; readonly software: boolean } {
  const name = wordsOf(info);
  return { name, software: info.isFallbackAdapter === true || SOFTWARE.test(name) };
}

/** The adapter that the page would get, or why there is none, in words. */
export async function findAdapter({ navigator }: Page): Promise<ReturnType<typeof describeAdapter> | string> {
  if (navigator?.gpu === undefined) return 'this browser has no WebGPU, or the page is neither https nor localhost';
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (adapter === null) return 'this browser finds no graphics adapter';
  const { name, software } = describeAdapter(adapter.info);
  return { name, software: software || adapter.isFallbackAdapter === true };
}
