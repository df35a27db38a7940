import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { actions, enums, structures } from '../../src/local/api/model/shapes.js';
import { shortText } from '../../src/local/api/query.js';
import { stsActions } from '../../src/local/api/served.js';
import { inFolder } from '../support/folder.js';
import { type Server, serveIn } from '../support/served.js';
import { type Answered, type Asked, ask, presigned } from '../support/signed.js';
import { suite } from '../support/suite.js';
import { isWellFormed } from '../support/xml.js';

/** A request that must be refused: signed, unless it says otherwise, or sent byte by byte. */
interface Bad {
  readonly name: string;
  readonly asked?: Partial<Asked>;
  /** What is written to a connection, piece by piece, a second after each other. */
  readonly raw?: readonly string[];
}

interface Leaf {
  readonly name: string;
  readonly type: string;
}

/** The parameters of an action, as requests have them, with their types. */
function leaves(members: Readonly<Record<string, string>>, within = ''): Leaf[] {
  return Object.entries(members).flatMap(([key, shape]) => {
    const name = `${within}${key}`;
    const [, type = '', list] = /^(\w+)?(\[\])?!?$/.exec(shape) ?? [];
    const inner = structures[type];
    const path = list === undefined ? name : `${name}.1`;
    return [
      ...(list === undefined ? [] : [{ name, type: 'list' }]),
      ...(inner === undefined ? [{ name: path, type: kindOf(type, path) }] : leaves(inner, `${path}.`)),
    ];
  });
}

function kindOf(type: string, name: string): string {
  if (type === '') return 'not served';
  return Object.hasOwn(enums, type) ? 'enumeration' : type === 'string' && shortText.test(name) ? 'text' : type;
}

const long = 'f'.repeat(100_000);

/** Values that a parameter of each type cannot have. */
const impossible: Readonly<Record<string, readonly string[]>> = {
  string: ['a\u0000b', '\ufffe'],
  text: ['\u001b[2J', 'x'.repeat(256)],
  integer: ['x', '1.5', '99999999999'],
  boolean: ['maybe', '1', long],
  list: ['all'],
  timestamp: ['tomorrow'],
  enumeration: ['gp9'],
  'not served': ['x'],
};

function badParameters(): Bad[] {
  return Object.entries(actions).flatMap(([action, members]) => {
    const isSts = stsActions.has(action);
    const version = isSts ? '2011-06-15' : '2016-11-15';
    const service = isSts ? 'sts' : 'ec2';
    const form = (more: Readonly<Record<string, string>>) => new URLSearchParams({ Action: action, Version: version, ...more }).toString();
    const bad = (what: string, asked: Partial<Asked>): Bad => ({ name: `${action}: ${what}`, asked: { service, body: form({}), ...asked } });
    const with_ = (name: string, value: string) => bad(`${name}=${value.slice(0, 20)}`, { body: form({ [name]: value }) });
    const all = leaves(members);
    return [
      ...all.flatMap(({ name, type }) => (impossible[type] ?? []).map((value) => with_(name, value))),
      ...all.filter(({ type }) => type !== 'list').map(({ name }) => with_(`${name}.below`, '1')),
      ...all.filter(({ type }) => type === 'list').map(({ name }) => with_(`${name}.first`, '1')),
      ...all
        .filter(({ name }) => /^(Volume|Snapshot|Image|Instance|SourceImage|SourceSnapshot|Resource)Id(\.1)?$/.test(name))
        .flatMap(({ name }) => ['../../x', 'vol-', `snap-${long}`, 'ami-0123456789ABCDEF0', '*'].map((value) => completed(action, name, value)))
        .map((more) => bad(`${Object.entries(more).at(-1)?.join('=').slice(0, 40)}`, { body: form(more) })),
      with_('Colour', 'red'),
      with_('__proto__.constructor', 'x'),
      with_(`${'a.'.repeat(10_000)}b`, '1'),
      bad('unsigned', { secret: undefined }),
      bad('another key', { secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }),
      bad('for another service', { service: isSts ? 'ec2' : 'sts' }),
      bad('old', { at: new Date(Date.now() - 3_600_000) }),
      bad('expired token', { token: 'expires-1' }),
      bad('by a page', { headers: { origin: 'http://page.example' } }),
      bad('to another host', { headers: { host: 'rebound.example' } }),
      bad('by PUT', { method: 'PUT' }),
      bad('by GET, unsigned', { method: 'GET', secret: undefined, url: `/?${form({})}`, body: '' }),
    ];
  });
}

/** What an action needs besides a bad id to come so far as to read it. */
function completed(action: string, name: string, value: string): Record<string, string> {
  const needs: Readonly<Record<string, Record<string, string>>> = {
    CreateVolume: { AvailabilityZone: 'local-1a' },
    AttachVolume: { VolumeId: 'vol-0123456789abcdef0', InstanceId: 'i-0123456789abcdef0', Device: '/dev/sdf' },
    CopyImage: { Name: 'copy', SourceRegion: 'local-1' },
    CopySnapshot: { SourceRegion: 'local-1' },
    CreateTags: { 'Tag.1.Key': 'a', 'Tag.1.Value': 'b' },
  };
  return { ...needs[action], [name]: value };
}

function badRequests(secret: string, endpoint: string): Bad[] {
  const list = 'Action=DescribeVolumes&Version=2016-11-15';
  const signed = (asked: Partial<Asked>, expires?: string) => new URL(presigned({ url: `${endpoint}/?${list}`, secret, ...asked }, expires));
  const bare = { secret: undefined, body: '', method: 'GET' };
  const changed = (name: string, value: string) => {
    const url = signed({});
    url.searchParams.set(name, value);
    return { ...bare, url: url.pathname + url.search };
  };
  return [
    ...['DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'TRACE'].map((method) => ({ name: method, asked: { method } })),
    ...['X-Amz-Signature', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Credential', 'X-Amz-Algorithm', 'Filter.1.Name'].flatMap((name) =>
      ['', 'x', 'a'.repeat(64)].map((value) => ({ name: `query ${name}=${value}`, asked: changed(name, value) })),
    ),
    ...['0', '-1', '604801', 'x'].map((expires) => ({ name: `expires ${expires}`, asked: { ...bare, url: `/${signed({}, expires).search}` } })),
    { name: 'expired', asked: { ...bare, url: `/${signed({ at: new Date(Date.now() - 120_000) }).search}` } },
    ...['nowhere', '..', 'eu_west_1', 'a'.repeat(1_000), 'local-1%2f..'].map((region) => ({ name: `region ${region}`, asked: { region, body: list } })),
    ...['', 'Nothing', '\ufffe', '__proto__', 'constructor', long].map((action) => ({
      name: `action ${action.slice(0, 20)}`,
      asked: { body: new URLSearchParams({ Action: action }).toString() },
    })),
    ...['', '\u0000', '%', '%zz=%', '{"Action":"DescribeVolumes"}', '<xml/>', '&'.repeat(1_000), '='.repeat(1_000)].map((body) => ({
      name: `body ${JSON.stringify(body.slice(0, 20))}`,
      asked: { body },
    })),
    ...[2 ** 20 + 1, 2 ** 22].map((size) => ({ name: `${size} bytes`, asked: { body: 'x'.repeat(size) } })),
    ...['AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA256 Credential=a/b', 'Basic bG9jYWw=', 'AWS4-ECDSA-P256-SHA256 Credential=x', '', ',=,;,'].map((authorization) => ({
      name: `authorization ${authorization}`,
      asked: { headers: { authorization }, body: list },
    })),
  ];
}

function badBytes(): Bad[] {
  const host = 'Host: localhost\r\n';
  return [
    ['nothing that is HTTP', 'hello\r\n\r\n'],
    ['a control character', 'GET /\u0001 HTTP/1.1\r\n\r\n'],
    ['another version', 'GET / HTTP/9.9\r\n\r\n'],
    ['no host', 'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/1.0', 'POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n'],
    ['two lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    ['a length that is none', `POST / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`],
    ['a length and chunks', `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunks that are none', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a header of 100,000 characters', `POST / HTTP/1.1\r\n${host}X: ${long}\r\n\r\n`],
    ['a path of 100,000 characters', `POST /${long} HTTP/1.1\r\n${host}\r\n`],
    ['a URL that is none', `POST //[ HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`],
    ['a proxy request', `POST http://[::1/ HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`],
    ['CONNECT', `CONNECT localhost:22 HTTP/1.1\r\n${host}\r\n`],
    ['an upgrade', `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ['an expectation', `POST / HTTP/1.1\r\n${host}Expect: wonders\r\nContent-Length: 0\r\n\r\n`],
    ['many parameters', `GET /?${'a&'.repeat(7_000)} HTTP/1.1\r\n${host}\r\n`],
  ].map(([name = '', text = '']) => ({ name, raw: [text] }));
}

function slow(): Bad[] {
  const head = 'POST / HTTP/1.1\r\nHost: localhost\r\n';
  return [
    { name: 'a head that does not end', raw: [head] },
    { name: 'a body that does not come', raw: [`${head}Content-Length: 100\r\n\r\n`] },
    { name: 'a body in drops', raw: [`${head}Content-Length: 100\r\n\r\n`, ...'x'.repeat(40)] },
    { name: 'chunks in drops', raw: [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...Array.from({ length: 40 }, () => '1\r\nx\r\n')] },
  ];
}

/** Writes to a connection; gives what came back until it was closed, or was there whole. */
async function sendRaw(endpoint: string, pieces: readonly string[]): Promise<Answered> {
  const socket = connect(Number(new URL(endpoint).port), '127.0.0.1');
  let got = '';
  let over = false;
  const isWhole = () => {
    const [, length] = /\r\ncontent-length: ([0-9]+)\r\n/i.exec(got) ?? [];
    return length !== undefined && got.slice(got.indexOf('\r\n\r\n') + 4).length >= Number(length);
  };
  const answered = new Promise<void>((done) => {
    socket.on('data', (chunk) => {
      got += chunk;
      if (isWhole()) done();
    });
    socket.on('close', done).on('error', () => {});
  }).then(() => {
    over = true;
  });
  for (const piece of pieces) {
    if (over) break;
    socket.write(piece);
    await Promise.race([answered, sleep(1_000)]);
  }
  await answered;
  socket.destroy();
  return { status: Number(/^HTTP\/1\.1 ([0-9]+)/.exec(got)?.[1]), text: got.slice(got.indexOf('\r\n\r\n') + 4) };
}

/** All that a store holds: its files with their content. */
function contentOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(
      ({ parentPath, name }) =>
        `${join(parentPath, name)} ${createHash('sha256')
          .update(readFileSync(join(parentPath, name)))
          .digest('hex')}`,
    )
    .sort();
}

/** What is wrong with the answer to a bad request, if anything. */
function faultsOf({ status, text }: Answered, folder: string): string[] {
  return [
    ...(status >= 400 && status < 500 ? [] : [`status ${status}`]),
    ...(/<Code>[A-Za-z.]+<\/Code>.*<Message>.+<\/Message>.*<Request(ID|Id)>/s.test(text) ? [] : ['no error of EC2']),
    ...(isWellFormed(text) ? [] : ['XML that is not well-formed']),
    ...(text.includes(folder) || /\/(tmp|var|home|root|proc|dev\/loop)\b|node:/.test(text) ? ['a path of the host'] : []),
    ...(text.length < 3_000 ? [] : [`${text.length} characters`]),
  ];
}

suite('bad requests to a served EC2', (test) => {
  test(
    'are refused, each with an error as EC2 has them; nothing changes, and good ones are answered',
    () =>
      inFolder({}, async (folder) => {
        const server = await serveIn(folder);
        try {
          const good = await fill(server);
          const before = contentOf(join(folder, 'state/local'));
          const secret = server.env['AWS_SECRET_ACCESS_KEY'] ?? '';
          const all = [...badParameters(), ...badRequests(secret, server.endpoint), ...badBytes()];
          const wrong: string[] = [];
          const send = async ({ name, asked = {}, raw }: Bad) => {
            const url = new URL(asked.url ?? '/', server.endpoint).href;
            const sent = raw === undefined ? ask({ secret, ...asked, url }) : sendRaw(server.endpoint, raw);
            const answered = await sent.catch((error: Error) => ({ status: 0, text: error.message }));
            for (const fault of faultsOf(answered, folder)) wrong.push(`${name}: ${fault}: ${answered.text.slice(0, 300)}`);
          };
          const waiting = Promise.all(slow().map(send));
          const queue = [...all];
          await Promise.all(
            Array.from({ length: 8 }, async () => {
              for (let next = queue.pop(); next !== undefined; next = queue.pop()) await send(next);
            }),
          );
          await waiting;
          const distinct = new Set([...all, ...slow()].map(({ name, asked, raw }) => JSON.stringify([name, asked, raw])));
          console.log(`\n${distinct.size} bad requests`);
          assert.equal(wrong, []);
          assert.ok(distinct.size >= 200);
          assert.equal(contentOf(join(folder, 'state/local')), before);
          assert.match((await good('DescribeVolumes')).text, '<status>available</status>');
          assert.match((await good('DescribeTags')).text, '<value>kept</value>');
        } finally {
          assert.is((await server.stop()).code, 0);
        }
      }),
    120_000,
  );

  test('what fails on this machine is told to whoever serves, without paths to others', () =>
    inFolder({}, async (folder) => {
      const server = await serveIn(folder);
      let told = '';
      try {
        const good = await fill(server);
        writeFileSync(join(folder, 'state/local/local-2'), 'no folder');
        const { status, text } = await good('CreateVolume', { AvailabilityZone: 'local-2a', Size: '1' }, 'local-2');
        assert.match(text, /<Code>InternalError<\/Code><Message>ENOTDIR: not a directory, \w+ '…'<\/Message>/);
        assert.is(status, 500);
      } finally {
        told = (await server.stop()).stderr;
      }
      assert.match(told, new RegExp(`^warning: CreateVolume: ENOTDIR: .*'${folder}/state/local/local-2`));
    }));
});

/** Makes a volume with a tag; gives how to send good requests. */
async function fill({ endpoint, env }: Server) {
  const good = (action: string, more: Readonly<Record<string, string>> = {}, region = 'local-1') => {
    const body = new URLSearchParams({ Action: action, Version: '2016-11-15', ...more }).toString();
    return ask({ url: endpoint, body, secret: env['AWS_SECRET_ACCESS_KEY'], region });
  };
  const tags = { 'TagSpecification.1.ResourceType': 'volume', 'TagSpecification.1.Tag.1.Key': 'a', 'TagSpecification.1.Tag.1.Value': 'kept' };
  assert.is((await good('CreateVolume', { AvailabilityZone: 'local-1a', Size: '1', ...tags })).status, 200);
  return good;
}
