import { version } from '../../package.json';

/** The version of this package, which all packages of a release share. Another version may come to other verdicts. */
export const VERSION: string = version;
