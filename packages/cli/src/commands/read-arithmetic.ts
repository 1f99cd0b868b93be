import type { Arithmetic } from '@cert/bounds';
import { readWord } from './options.js';

/** The levels of arithmetic, weakest claim first. */
export const ARITHMETICS: readonly Arithmetic[] = ['nearest', 'real', 'deployed'];

/** @throws CertError `bad-argument` for anything but a level of arithmetic */
export const readArithmetic = (text = 'deployed'): Arithmetic => readWord('--arithmetic', text, ARITHMETICS);
