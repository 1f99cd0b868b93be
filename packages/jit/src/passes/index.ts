import { type Graph, rewrite } from '../ir.js';
import { filterGradient } from './filter-gradient.js';

/** The standard sequence of passes. */
export const optimize = (graph: Graph): Graph => rewrite(graph, filterGradient);
