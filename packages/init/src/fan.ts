import { type Node, type Shape, sizeOf } from '@cert/core';

/** The shapes of a node's parameters by name, for ops of any kind, plug-ins included. */
export const paramShapes = (node: Node): { readonly [name: string]: Shape } => node.params;

/**
 * How many inputs one output of a kernel sees: h * w * (channels / groups) of a convolution [h, w, c / groups, filters], the
 * inputs of a dense layer [in, out]; in general every axis but the last.
 */
export const fanIn = (kernel: Shape): number => sizeOf(kernel.slice(0, -1));
