import { CertError } from '@cert/core';
import { describe, expect, it } from 'vitest';
import { readInstances, writeInstances, writeVnncompResult } from '../index.js';

describe('writeVnncompResult', () => {
  it('writes a verdict alone, and a witness in full digits', () => {
    expect(writeVnncompResult('unsat')).toBe('unsat\n');
    expect(writeVnncompResult('timeout')).toBe('timeout\n');
    const third = Math.fround(1 / 3);
    const text = writeVnncompResult('sat', { inputs: Float32Array.of(third, -2), outputs: [1e-9] });
    expect(text).toBe('sat\n((X_0 0.3333333432674408)\n (X_1 -2)\n (Y_0 1e-9))\n');
  });

  it.each([
    [() => writeVnncompResult('sat'), 'without a witness'],
    [() => writeVnncompResult('unsat', { inputs: [1], outputs: [1] }), 'with a witness'],
    [() => writeVnncompResult('sat', { inputs: [Number.NaN], outputs: [1] }), 'X_0 of the witness is NaN'],
    [() => writeVnncompResult('sat', { inputs: [0], outputs: [1, Number.POSITIVE_INFINITY] }), 'Y_1'],
    [() => writeVnncompResult('verified' as 'unsat'), '"verified"'],
  ])('refuses %#', (write, problem) => {
    expect(write).toThrow(CertError);
    expect(write).toThrow(problem);
  });
});

describe('readInstances', () => {
  it('reads three columns', () => {
    expect(readInstances('a.onnx,b.vnnlib.gz,116\r\n\r\n./c.onnx, d.vnnlib ,0.5')).toEqual([
      { onnx: 'a.onnx', vnnlib: 'b.vnnlib.gz', timeout: 116, columns: {} },
      { onnx: './c.onnx', vnnlib: 'd.vnnlib', timeout: 0.5, columns: {} },
    ]);
    expect(readInstances('')).toEqual([]);
  });

  it('reads a header, quotes and further columns', () => {
    const csv = 'benchmark,onnx,vnnlib,timeout_s,verdict\nmine,"a, ""b"".onnx",p.vnnlib,60,unsat\n';
    expect(readInstances(csv)).toEqual([
      { onnx: 'a, "b".onnx', vnnlib: 'p.vnnlib', timeout: 60, columns: { benchmark: 'mine', verdict: 'unsat' } },
    ]);
  });

  it.each([
    ['a.onnx,b.vnnlib', 'Line 1', '2 fields'],
    ['a.onnx,b.vnnlib,60\nc.onnx,d.vnnlib,60,sat', 'Line 2', '4 fields'],
    ['a.onnx,b.vnnlib,soon', 'Line 1', '"soon"'],
    ['a.onnx,b.vnnlib,-1', 'Line 1', '"-1"'],
    ['a.onnx,,60', 'Line 1', '3 fields'],
    ['a.onnx,"b.vnnlib,60', 'Line 1', 'quote'],
    ['a.onnx,b.vnnlib,60\na.onnx,b"c.vnnlib,60', 'Line 2', 'quote'],
    ['onnx,timeout\na,1', 'Line 1', 'vnnlib'],
    ['onnx,vnnlib,timeout,x,x\na,b,1,2,3', 'Line 1', 'one name'],
  ])('says where %j is wrong', (csv, line, problem) => {
    expect(() => readInstances(csv)).toThrow(line);
    expect(() => readInstances(csv)).toThrow(problem);
  });
});

describe('writeInstances', () => {
  it('writes what is read back', () => {
    const instances = [
      { onnx: 'net.onnx', vnnlib: 'vnnlib/a.vnnlib', timeout: 60 },
      { onnx: 'a, "b".onnx', vnnlib: ' c.vnnlib', timeout: 0.5 },
    ];
    const csv = writeInstances(instances);
    expect(csv.split('\n')[0]).toBe('net.onnx,vnnlib/a.vnnlib,60');
    expect(readInstances(csv)).toEqual(instances.map((instance) => ({ ...instance, columns: {} })));
    expect(writeInstances([])).toBe('');
  });

  it.each([
    { onnx: '', vnnlib: 'a', timeout: 1 },
    { onnx: 'a', vnnlib: 'b', timeout: 0 },
    { onnx: 'a', vnnlib: 'b', timeout: Number.NaN },
  ])('refuses %j', (instance) => {
    expect(() => writeInstances([instance])).toThrow(CertError);
    expect(() => writeInstances([instance])).toThrow('Instance 0 is');
  });
});
