import { describe, expect, it } from 'vitest';
import { missingLine, sameOutput } from './same-output.js';

describe('sameOutput', () => {
  it('takes a printed tensor, and numbers with more digits', () => {
    expect(sameOutput('[[0.8, 1]]', 'Tensor\n     [[0.8000000, 1],]')).toBe(true);
    expect(sameOutput('0.9 1', '0.8999999761581421 1')).toBe(true);
    expect(sameOutput('10 [ 3, 3, 1, 16 ]', '10 [ 3, 3, 1, 16 ]')).toBe(true);
    expect(sameOutput('1e-7', '1.02e-7')).toBe(true);
  });

  it('refuses another number, another word, and one too few or too many', () => {
    expect(sameOutput('[[0.8]]', 'Tensor\n     [[0.74],]')).toBe(false);
    expect(sameOutput('3', '3.2')).toBe(false);
    expect(sameOutput('3', '-3')).toBe(false);
    expect(sameOutput('1e-7', '2e-7')).toBe(false);
    expect(sameOutput('mine', 'yours')).toBe(false);
    expect(sameOutput('1 2', '1 2 3')).toBe(false);
    expect(sameOutput('close to 2', '2')).toBe(false);
  });
});

describe('missingLine', () => {
  const output = 'epoch 1  loss 0.5\nepoch 2  loss 0.25\n\ndone in 3 s\n';

  it('takes lines with other numbers, in order, and dots for any', () => {
    expect(missingLine('epoch 7  loss 12.125\n...\ndone in 4 s\n', output)).toBeUndefined();
    expect(missingLine('', output)).toBeUndefined();
    expect(missingLine('epoch 1 ...\n... loss 0.1\ndone ...', output)).toBeUndefined();
  });

  it('names the line that is not there, or not in this place', () => {
    expect(missingLine('epoch 1  error 0.5\n', output)).toBe('epoch 1  error 0.5');
    expect(missingLine('epoch 1 ... los', output)).toBe('epoch 1 ... los');
    expect(missingLine('done (in) ...', output)).toBe('done (in) ...');
    expect(missingLine('done in 3 s\nepoch 1  loss 0.5\n', output)).toBe('epoch 1  loss 0.5');
    expect(missingLine('epoch 1  loss 1\nepoch 1  loss 1\nepoch 1  loss 1\n', output)).toBe('epoch 1  loss 1');
  });
});
