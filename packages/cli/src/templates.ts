import { fileURLToPath } from 'node:url';

/** The path of a file that is published beside `dist`. */
export const templatePath = (path: string): string => fileURLToPath(new URL(`../templates/${path}`, import.meta.url));
