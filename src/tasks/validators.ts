import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { editorKeywords, recipeSchema } from '../dsl/schema/recipe.js';
import { kinds } from './index.js';

/** The schema of recipes: one object for ajv, editors and the manual. */
export const schema = recipeSchema(kinds);

/** An ajv that accepts the keywords editors read. */
export function makeAjv(options: { readonly forParams: boolean; readonly source: boolean }): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    allowUnionTypes: true,
    // One function a kind, so kinds that a recipe does not use are not compiled.
    inlineRefs: false,
    strictRequired: false,
    strictTypes: false,
    useDefaults: options.forParams,
    // Outputs of scripts are text, even where a parameter is a number.
    coerceTypes: options.forParams,
    code: { source: options.source, esm: true, lines: false },
  });
  for (const keyword of editorKeywords) ajv.addKeyword({ keyword, valid: true });
  return ajv;
}

/** The compiled validator of `recipe`, or of a kind for its rendered parameters. The build compiles them ahead of time. */
export function validatorFor(name: string): ValidateFunction {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const params = kinds.find((kind) => kind.name === name)?.params;
  const validate =
    name === 'recipe' ? makeAjv({ forParams: false, source: false }).compile(schema) : makeAjv({ forParams: true, source: false }).compile(params as object);
  compiled.set(name, validate);
  return validate;
}

const compiled = new Map<string, ValidateFunction>();

export type { ErrorObject };
