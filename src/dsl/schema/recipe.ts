import { builtInLibraries, builtInReference } from '../recipe/built_in.js';
import type { KindDeclaration } from '../recipe/kind.js';
import { namePattern, taskNamePattern } from '../syntax/lexical.js';
import { envSchema, type Schema, templatable, word } from './parts.js';
import { retriesSchema, shellSchema, taskSchema, tasksSchema, timeoutSchema } from './task.js';

/** JSON Schema keywords that only editors read; ajv must be told of them. */
export const editorKeywords = ['markdownDescription', 'markdownEnumDescriptions', 'defaultSnippets', 'patternErrorMessage'];

/** The JSON Schema (2020-12) of a recipe: what ajv checks and what editors complete from, in one. */
export function recipeSchema(kinds: readonly KindDeclaration[]): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    description: 'A recipe of chrootfile',
    type: 'object',
    required: ['version', 'tasks'],
    additionalProperties: false,
    properties: topLevel(),
    $defs: {
      task: taskSchema(kinds),
      ...Object.fromEntries(kinds.map((kind) => [kind.name, kindSchema(kind)])),
    },
  };
}

function kindSchema({ params, requiresOneOf }: KindDeclaration): Schema {
  const schema = templatable(params, true);
  return requiresOneOf === undefined ? schema : { ...schema, anyOf: requiresOneOf.map((name) => ({ required: [name] })) };
}

function topLevel(): Record<string, Schema> {
  return {
    version: word('The version of the language. Always 1.', 'version: 1', { const: 1 }),
    name: word('A short name for the recipe; part of the ids of its runs.', 'name: web', {
      type: 'string',
      pattern: '^[A-Za-z0-9][A-Za-z0-9_-]*$',
      patternErrorMessage: 'letters, digits, - and _',
    }),
    description: word('What the recipe makes, for people.', 'description: nginx on our base image', { type: 'string' }),
    cloud: word('Where volumes and images live. `local`, the default, is the embedded EC2 on this machine.', 'cloud: {provider: aws, region: eu-west-1}', {
      type: 'object',
      required: ['provider'],
      additionalProperties: false,
      properties: {
        provider: word('`aws`, or `local` for the embedded EC2.', 'provider: aws', { enum: ['local', 'aws'] }),
        region: word('Region; else that of the environment, the profile, or the instance.', 'region: eu-west-1', { type: 'string' }),
        profile: word('A profile of the shared AWS configuration.', 'profile: images', { type: 'string' }),
        credentials_file: word('The shared credentials file, where it is not `~/.aws/credentials`.', 'credentials_file: /etc/images/credentials', {
          type: 'string',
        }),
        assume_role: assumeRoleSchema(),
        endpoint: word('Another EC2 endpoint.', 'endpoint: http://127.0.0.1:4566', { type: 'string' }),
        sts_endpoint: word('Another STS endpoint.', 'sts_endpoint: http://127.0.0.1:4566', { type: 'string' }),
        tls_verify: word('Whether certificates of endpoints are verified; they are unless said.', 'tls_verify: false', { type: 'boolean' }),
        max_attempts: word('How often a request is tried that may be sent again; 10 unless said.', 'max_attempts: 20', { type: 'integer', minimum: 1 }),
      },
    }),
    inputs: word(
      'Values the recipe is given from outside, each with a type.',
      'inputs:\n  size: {type: integer, default: 8, description: Root volume size in GiB}',
      {
        type: 'object',
        propertyNames: { pattern: namePattern },
        additionalProperties: inputSchema(),
      },
    ),
    vars: word(
      'Names for values used in several places. `{sh: …}` is the output of a command, run once on the host before the first task.',
      'vars: {image_name: "web-{{ run.timestamp }}"}',
      {
        type: 'object',
        propertyNames: { pattern: namePattern },
      },
    ),
    includes: word(
      'Libraries: other recipes whose tasks and outputs are used under a name.',
      'includes:\n  ami: {recipe: "chrootfile:image_from_image", with: {name: web}}',
      {
        type: 'object',
        propertyNames: { pattern: taskNamePattern },
        additionalProperties: {
          type: 'object',
          required: ['recipe'],
          additionalProperties: false,
          properties: {
            recipe: word(
              `A built-in library (${Object.keys(builtInLibraries)
                .map((name) => `\`${builtInReference(name)}\``)
                .join(', ')}), the path of a library relative to this file, or \`npm:\` and a file of an npm package.`,
              'recipe: "chrootfile:amazon_chroot"',
              { type: 'string', examples: Object.keys(builtInLibraries).map(builtInReference) },
            ),
            with: word("Values of the library's inputs; they may refer to tasks.", 'with: {name: "{{ vars.image_name }}"}', { type: 'object' }),
          },
        },
      },
    ),
    env: envSchema('Environment of all shell tasks of this recipe.'),
    defaults: word('What tasks of this recipe get that do not say it themselves.', 'defaults: {shell: [/bin/bash, -euo, pipefail], timeout: 30m}', {
      type: 'object',
      additionalProperties: false,
      properties: { shell: shellSchema(), timeout: timeoutSchema(), retries: retriesSchema() },
    }),
    tasks: word('What is to be done, by name. Order comes from `needs`, `in` and references.', 'tasks:\n  hello: {run: echo hello}', {
      type: 'object',
      propertyNames: { pattern: taskNamePattern },
      additionalProperties: { $ref: '#/$defs/task' },
    }),
    goals: tasksSchema('The tasks that are run when the command line names none; else all that are not `internal`.', 'goals: [image]'),
    outputs: word('Values printed at the end and kept in the folder of the run.', 'outputs: {image_id: "{{ image.id }}"}', {
      type: 'object',
      propertyNames: { pattern: namePattern },
    }),
  };
}

function inputSchema(): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['type'],
    properties: {
      type: word('The type of the value. A `path` is relative to the file that says it, on the command line to the working folder.', 'type: integer', {
        enum: ['string', 'path', 'integer', 'number', 'boolean', 'list', 'map'],
      }),
      description: word('What the value means, with its unit.', 'description: Root volume size in GiB', { type: 'string' }),
      default: word('The value when none is given.', 'default: 8', {}),
      required: word('Whether a value must be given.', 'required: true', { type: 'boolean' }),
      enum: word('The values allowed.', 'enum: [bookworm, trixie]', { type: 'array', minItems: 1 }),
      pattern: word('A regular expression a string must match.', 'pattern: "^ami-"', { type: 'string' }),
      minimum: word('The least number allowed.', 'minimum: 1', { type: 'number' }),
      maximum: word('The greatest number allowed.', 'maximum: 64', { type: 'number' }),
      secret: word('Kept out of logs, reports, names and files.', 'secret: true', { type: 'boolean' }),
    },
  };
}

function assumeRoleSchema(): Schema {
  const text = (description: string, example: string) => word(description, example, { type: 'string' });
  return word('A role that is taken on before anything is asked of EC2.', 'assume_role: {role_arn: "arn:aws:iam::123456789012:role/images"}', {
    type: 'object',
    required: ['role_arn'],
    additionalProperties: false,
    properties: {
      role_arn: text('The role.', 'role_arn: "arn:aws:iam::123456789012:role/images"'),
      session_name: text('Name of the session; `chrootfile` unless said.', 'session_name: nightly'),
      external_id: text('The id that the owner of the role asks for.', 'external_id: images'),
      duration_seconds: word('How long its credentials are good; they are renewed.', 'duration_seconds: 3600', {
        type: 'integer',
        minimum: 900,
        maximum: 43_200,
      }),
      policy: text('A policy, as JSON, that allows less than the role does.', 'policy: "{…}"'),
      policy_arns: word('Managed policies that allow less than the role does.', 'policy_arns: ["arn:aws:iam::aws:policy/AmazonEC2FullAccess"]', {
        type: 'array',
        items: { type: 'string' },
      }),
      tags: word('Tags of the session.', 'tags: {team: images}', { type: 'object', additionalProperties: { type: 'string' } }),
      transitive_tag_keys: word('Tags that go on to roles taken on from this one.', 'transitive_tag_keys: [team]', {
        type: 'array',
        items: { type: 'string' },
      }),
      mfa_serial: text('The device whose code the role asks for; the code is `CHROOTFILE_MFA_CODE`.', 'mfa_serial: "arn:aws:iam::123456789012:mfa/me"'),
    },
  });
}
