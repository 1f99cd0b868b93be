/** What a program wrote to stderr, without the hint of TensorFlow.js at a faster backend. */
export const warnings = (stderr: string) => stderr.replace(/=+\nHi, looks like.*?=+/s, '').trim();
