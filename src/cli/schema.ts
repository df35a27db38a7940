import { schema as recipe } from '../tasks/validators.js';
import { printJson } from './output.js';

/** `chrootfile schema`: the JSON Schema of recipes, for editors. */
export function schema(): void {
  printJson(recipe);
}
