import { expect, it } from 'vitest';
import { wrapText } from './width.js';

it('breaks between words, and a longer word keeps a line of its own', () => {
  expect(wrapText('one two three\nfour', 7)).toEqual(['one two', 'three', 'four']);
  expect(wrapText('a longest b', 4)).toEqual(['a', 'longest', 'b']);
});

it('breaks a colored text where the same text without colors is broken', () => {
  expect(wrapText('\u001b[33mone\u001b[39m two three', 7)).toEqual(['\u001b[33mone\u001b[39m two', 'three']);
});
