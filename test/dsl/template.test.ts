import * as assert from 'uvu/assert';
import { fromText } from '../../src/dsl/recipe/inputs.js';
import { durationMs } from '../../src/dsl/syntax/duration.js';
import { parseTemplate } from '../../src/dsl/syntax/template.js';
import { suite } from '../support/suite.js';

const values: Record<string, unknown> = {
  'a.text': "it's",
  'a.number': 8,
  'a.list': ['x', 'y'],
  'a.map': { k: 'v' },
  'a.none': null,
  'a.yes': true,
  'a.path': '/etc/x.conf',
};

function render(text: string): unknown {
  const { template, diagnostics } = parseTemplate(text);
  if (template === undefined) throw new Error(diagnostics.map((fault) => fault.message).join('; '));
  return template.render((reference) => values[reference.path.join('.')]);
}

suite('templates', (test) => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['{{ a.number }}', 8],
    ['{{a.list}}', ['x', 'y']],
    ['{{ a.map }}', { k: 'v' }],
    ['{{ a.none }}', null],
    ['{{ a.yes }}', true],
    [' {{ a.number }}', ' 8'],
    ['[{{ a.none }}]', '[]'],
    ["<{{ a.text }}> & '", "<it's> & '"],
    ['{{ quote a.text }}', `'it'\\''s'`],
    ['{{ join a.list "," }}', 'x,y'],
    ['{{ json a.map }}', '{"k":"v"}'],
    ['{{ upper (lower "aB") }}-{{ lower "aB" }}', 'AB-ab'],
    ['{{ default a.none "none" }}', 'none'],
    ['{{ default a.number 3 }}', 8],
    ['{{ eq a.number 8 }}', true],
    ['{{ and a.yes (not a.none) }}', true],
    ['{{ or a.none a.none }}', false],
    ['{{ ne a.number 8 }}', false],
    ['{{ replace "a.b.c" "." "-" }}', 'a-b-c'],
    ['{{ basename a.path }}', 'x.conf'],
    ['{{ clean_name "web: v1.2 (ü)!" }}', 'web- v1.2 (-)-'],
    ['{{#if a.yes}}yes{{else}}no{{/if}}', 'yes'],
    ['{{#unless a.none}}none{{else if a.yes}}x{{/unless}}', 'none'],
    ['{{#if (eq a.number 9)}}9{{else if (eq a.number 8)}}{{ a.number }}!{{else}}?{{/if}}', '8!'],
    ['\\{{ a.number }}', '{{ a.number }}'],
    ['{{! a comment }}x', 'x'],
  ];
  for (const [text, result] of cases) test(`${text} gives ${JSON.stringify(result)}`, () => assert.equal(render(text), result));

  test('a list or a map inside other text is an error, not [object Object]', () => {
    assert.throws(() => render('x {{ a.map }}'), /^a map cannot be inserted into text; use "json"$/);
    assert.throws(() => render('x {{ a.list }}'), /^a list cannot be inserted into text; use "json" or "join"$/);
  });
});

suite('words', (test) => {
  test('a duration may have several units, each once and the largest first', () => {
    assert.equal(
      ['1h30m', '1m30s', '2h5m10s', '1s500ms', '1h1ms', '5m5ms', '90m90s'].map(durationMs),
      [5_400_000, 90_000, 7_510_000, 1500, 3_600_001, 300_005, 5_490_000],
    );
    for (const text of ['', '30m1h', '1h1h', '1h 30m', '1h30', 'h', '-1s', '1h30M', '600h']) assert.is(durationMs(text), undefined, text);
  });

  test('durations and typed text', () => {
    assert.equal(['500ms', '90s', '20m', '2h', '5', '1d', '1.5s', ' 1s'].map(durationMs), [
      500,
      90_000,
      1_200_000,
      7_200_000,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    assert.equal(
      [
        fromText('8', 'integer'),
        fromText('8.5', 'integer'),
        fromText('8.5', 'number'),
        fromText('', 'number'),
        fromText('true', 'boolean'),
        fromText('yes', 'boolean'),
        fromText('[1]', 'list'),
        fromText('{}', 'list'),
        fromText('{"a":1}', 'map'),
        fromText('x', 'string'),
      ],
      [8, undefined, 8.5, undefined, true, undefined, [1], undefined, { a: 1 }, 'x'],
    );
  });
});
