import { print } from '../output.js';
import type { Report } from './index.js';

/** One JSON object a line; the last is `run.finished`. */
export function jsonReport(): Report {
  return {
    sink: (event) => print(JSON.stringify({ time: new Date().toISOString(), ...event })),
    end: async () => {},
  };
}
