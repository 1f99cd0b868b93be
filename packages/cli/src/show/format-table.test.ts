import { expect, it } from 'vitest';
import { formatTable } from './format-table.js';

const rows = [
  ['layer', 'first', 'second', 'third'],
  ['conv1', '1', '22', '333'],
];

it('puts the columns that do not fit below the others, with the keys', () => {
  expect(formatTable(rows)).toBe('layer  first  second  third\nconv1      1      22    333');
  expect(formatTable(rows, { width: 22 }).split('\n')).toEqual([
    'layer  first  second',
    'conv1      1      22',
    '',
    'layer  third',
    'conv1    333',
  ]);
});

it('wraps the text of a row that is too long, and breaks words that are', () => {
  const long = [
    ['folder', '/a/very/long/path/to/a/folder'],
    ['device', 'ONNX Runtime, CPU, two threads'],
  ];
  expect(formatTable(long, { width: 26, left: true }).split('\n')).toEqual([
    'folder  /a/very/long/path/',
    '        to/a/folder',
    'device  ONNX Runtime, CPU,',
    '        two threads',
  ]);
});

it('indents a name that is wrapped', () => {
  const names = [
    ['', 'error', 'interval'],
    ['verified error (one or another method)', '1 %', '[0 %, 2 %]'],
  ];
  expect(formatTable(names, { width: 45 }).split('\n')).toEqual(
    [
      '                            error    interval',
      'verified error (one or        1 %  [0 %, 2 %]',
      '  another method)',
    ].map((line) => line),
  );
});
