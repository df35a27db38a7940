import { plainJson } from '../../linux/plain_text.js';
import { print } from '../terminal/output.js';
import type { Report } from './report.js';

/** One JSON object a line; the last is `run.finished`. */
export function jsonReport(): Report {
  return {
    sink: (event) => print(plainJson({ time: new Date().toISOString(), ...event })),
    end: async () => {},
  };
}
