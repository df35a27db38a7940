import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { servedAt } from '../../src/cli/served_ec2.js';
import { recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { run } from '../support/program.js';
import { runProgram, type Server, serveIn, withServer } from '../support/served.js';
import { ask, signedHeaders } from '../support/signed.js';
import { suite } from '../support/suite.js';

const form = (action: string, more = '') => `Action=${action}&Version=2016-11-15${more}`;

/** No keys but those of whoever made a server; nor of the instance. */
const noKeys = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'local-1' };

/** Runs something as another user, as far as the kernel is concerned that makes sockets. */
async function asNobody<T>(body: () => Promise<T>): Promise<T> {
  process.seteuid?.(65_534);
  try {
    return await body();
  } finally {
    process.seteuid?.(0);
  }
}

/** Runs something while there is another machine: a network namespace, with a cable to this one. */
async function withOtherMachine<T>(body: (address: string, on: (...command: string[]) => string) => Promise<T>): Promise<T> {
  const other = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise((printed) => other.stdout.once('data', printed));
    const on = (...command: string[]) => execFileSync('nsenter', [`--net=/proc/${other.pid}/ns/net`, '--', ...command], { encoding: 'utf8' });
    const cable = `cf${process.pid}`;
    const ip = (line: string) => line.split(' ');
    execFileSync('ip', ip(`link add ${cable} type veth peer name other netns ${other.pid}`));
    execFileSync('ip', ip(`addr add 198.51.100.1/30 dev ${cable}`));
    execFileSync('ip', ip(`link set ${cable} up`));
    on(...ip('ip addr add 198.51.100.2/30 dev other'));
    on(...ip('ip link set other up'));
    return await body('198.51.100.1', on);
  } finally {
    // The cable goes with it.
    other.kill('SIGKILL');
  }
}

suite('who may use a served EC2', (test) => {
  test(
    'nobody without its key: each server has another, which neither the log nor another user shows',
    () =>
      inFolder({}, async (folder) => {
        const keys: (string | undefined)[] = [];
        for (let start = 0; start < 2; start += 1) {
          const server = await serveIn(folder);
          keys.push(server.env['AWS_SECRET_ACCESS_KEY']);
          const note = join(folder, 'state/served.json');
          assert.equal([statSync(note).mode & 0o777, statSync(note).uid], [0o600, 0]);
          assert.is((await ask({ url: server.endpoint, body: form('CreateVolume', '&AvailabilityZone=local-1a&Size=1') })).status, 403);
          assert.is((await ask({ url: server.endpoint, body: form('DescribeVolumes'), secret: keys[0] })).status, start === 0 ? 200 : 401);
          await server.stop();
          assert.not(existsSync(note));
          assert.not(readFileSync(join(folder, 'log.ndjson'), 'utf8').includes(keys[start] ?? '-'));
        }
        assert.is.not(keys[0], keys[1]);
        assert.equal(recordsOf(folder, 'local-1', 'volumes'), []);
      }),
    60_000,
  );

  test('a signature that is wrong in any part is refused, as EC2 and as STS refuse it', () =>
    withServer(async ({ endpoint: url, env }) => {
      const secret = env['AWS_SECRET_ACCESS_KEY'] ?? '';
      const body = form('DescribeVolumes');
      const good = { url, body, secret };
      const headers = signedHeaders(good);
      const { authorization = '' } = headers;
      const minutes = (count: number) => new Date(Date.now() + count * 60_000);
      const of = async (asked: Parameters<typeof ask>[0]) => {
        const { status, text } = await ask(asked);
        return `${status} ${/<Code>([^<]*)/.exec(text)?.[1] ?? ''}`;
      };
      const cases: readonly (readonly [string, Parameters<typeof ask>[0]])[] = [
        ['200 ', good],
        ['200 ', { ...good, at: minutes(-14) }],
        ['200 ', { ...good, at: minutes(14) }],
        ['400 RequestExpired', { ...good, at: minutes(-16) }],
        ['400 RequestExpired', { ...good, at: minutes(16) }],
        ['401 AuthFailure', { ...good, secret: `${secret}x` }],
        ['401 AuthFailure', { ...good, service: 'sts' }],
        ['401 AuthFailure', { url, headers, body: form('DeleteVolume') }],
        ['401 AuthFailure', { url: `${url}/x`, headers, body }],
        ['401 AuthFailure', { url: `${url}/?x=1`, headers, body }],
        ['401 AuthFailure', { url, body, headers: { ...headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }],
        ['401 AuthFailure', { url, body, headers: { ...headers, 'x-amz-security-token': 'expires-99999999999' } }],
        ['401 AuthFailure', { url, body, headers: { ...headers, authorization: authorization.replace('local-1', 'local-2') } }],
        ['401 AuthFailure', { url, body, headers: { ...headers, authorization: authorization.replace(/.$/, (c) => (c === '0' ? '1' : '0')) } }],
        ['403 MissingAuthenticationToken', { url, body }],
        ['400 IncompleteSignature', { url, body, headers: { authorization } }],
        ['400 IncompleteSignature', { url, body, headers: { ...headers, authorization: 'Basic bG9jYWw6bG9jYWw=' } }],
        ['400 IncompleteSignature', { url, body, headers: { ...headers, authorization: authorization.replace(/, Signature=.*/, '') } }],
        ['400 IncompleteSignature', { url, body, headers: { ...headers, authorization: authorization.replace('=host;', '=') } }],
        // What a query brings along is not what the signature is looked for in.
        ['403 MissingAuthenticationToken', { url: `${url}/?${body}&authorization=x`, method: 'GET' }],
        ['401 AuthFailure', { url: withoutRight(url, body), method: 'GET' }],
        ['403 SignatureDoesNotMatch', { url, body: 'Action=GetCallerIdentity&Version=2011-06-15', secret: 'x', service: 'sts' }],
      ];
      for (const [wanted, asked] of cases) assert.is(await of(asked), wanted, JSON.stringify(asked));
    }));

  test('whoever signed is who asks, whatever else the header names', () =>
    withServer(async ({ endpoint: url, env }) => {
      const body = 'Action=GetCallerIdentity&Version=2011-06-15';
      const { authorization = '', ...headers } = signedHeaders({ url, body, secret: env['AWS_SECRET_ACCESS_KEY'], service: 'sts' });
      const other = 'Credential=999999999999/20260101/local-1/sts/aws4_request';
      const { text } = await ask({ url, body, headers: { ...headers, authorization: authorization.replace(' ', ` Old${other}, `) } });
      assert.match(text, '<Account>000000000000</Account>');
    }));

  test(
    'its own programs read the key from the state folder, others have it from `local env`; what the environment had is not asked',
    () =>
      withServer(async (server) => {
        const { folder, endpoint } = server;
        writeFileSync(join(folder, 'r.yml'), 'version: 1\nname: r\ntasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n');
        const port = new URL(endpoint).port;
        const build = (url: string, env: Readonly<Record<string, string>>, ...more: string[]) =>
          run(['run', '--cloud', 'aws', '--endpoint', url, 'r.yml', ...more], { folder, env });
        for (const url of [endpoint, `http://localhost:${port}/`]) {
          const ended = await build(url, noKeys);
          assert.is(ended.code, 0, ended.stdout + ended.stderr);
        }
        assert.is((await build(endpoint, { ...noKeys, AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'real' })).code, 0);
        assert.is((await build(endpoint, { ...noKeys, AWS_PROFILE: 'nobody' })).code, 0);
        const other = await build(endpoint, { ...noKeys, AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' }, '--state', join(folder, 'elsewhere'));

        assert.is(other.code, 1);
        assert.match(other.stdout + other.stderr, /AuthFailure: .*it changes at each start: chrootfile local env/);
        const gc = await run(['gc', '--cloud', 'aws', '--endpoint', endpoint, '--json'], { folder, env: noKeys });
        assert.equal([gc.code, gc.stdout.trim()], [0, '[]'], gc.stderr);
        const printed = await run(['local', 'env'], { folder });
        const { AWS_PAGER: _, ...env } = server.env;
        assert.is(
          printed.stdout,
          Object.entries(env)
            .map(([name, value]) => `export ${name}=${value}\n`)
            .join(''),
        );
        assert.equal(JSON.parse((await run(['local', 'env', '--json'], { folder })).stdout), env);
        const none = await run(['local', 'env', '--state', join(folder, 'elsewhere')], { folder });
        assert.equal([none.code, /no EC2 is served from .*elsewhere\n {2}help: sudo chrootfile local serve/.test(none.stderr)], [2, true]);
      }),
    60_000,
  );

  test('what a server that was killed left in its state folder is not believed', () =>
    withServer(async ({ folder, endpoint, env }) => {
      const left = join(folder, 'left');
      mkdirSync(left);
      const note = readFileSync(join(folder, 'state/served.json'), 'utf8');
      writeFileSync(join(left, 'served.json'), note.replaceAll(env['AWS_SECRET_ACCESS_KEY'] ?? '-', 'old'));
      const asked = await run(['gc', '--cloud', 'aws', '--endpoint', endpoint, '--json', '--state', left], { folder, env });
      assert.is(asked.code, 0, asked.stderr);
    }));

  test('what a power cut left of the files it keeps is told with their names', () =>
    inFolder({ 'state/served.json': '', 'state/runs/1/journal.jsonl': '{"type": "run"}\n', 'state/runs/1/kept.json': '{' }, async (folder) => {
      for (const [words, file] of [
        [['local', 'env'], 'served.json'],
        [['run', '--resume', '1'], 'runs/1/kept.json'],
      ] as const) {
        const { code, stderr } = await run(words, { folder });
        assert.equal([code, stderr.startsWith(`error: ${join(folder, 'state', file)}: `)], [3, true], stderr);
      }
    }));

  test('credentials that it gives out are good: of a role, for its account', () =>
    withServer(async ({ endpoint: url, env, folder }) => {
      const secret = env['AWS_SECRET_ACCESS_KEY'];
      const role = 'Action=AssumeRole&Version=2011-06-15&RoleSessionName=x&RoleArn=arn:aws:iam::222222222222:role/x';
      const { text } = await ask({ url, body: role, secret, service: 'sts' });
      const of = (name: string) => new RegExp(`<${name}>([^<]*)`).exec(text)?.[1] ?? '';
      const given = { accessKeyId: of('AccessKeyId'), secret: of('SecretAccessKey'), token: of('SessionToken') };
      const who = await ask({ url, body: 'Action=GetCallerIdentity&Version=2011-06-15', service: 'sts', ...given });
      assert.match(who.text, '<Account>222222222222</Account>');
      // It goes over the network: the server's own key must not.
      assert.match(given.secret, /^[A-Za-z0-9_-]{40}$/);
      assert.not(text.includes(secret ?? '-'));
      const log = readFileSync(join(folder, 'log.ndjson'), 'utf8');
      assert.equal([log.includes(secret ?? '-'), log.includes(given.secret)], [false, false]);
      const as = (other: object) => ask({ url, body: 'Action=GetCallerIdentity&Version=2011-06-15', service: 'sts', ...given, ...other });
      assert.is((await as({ accessKeyId: '333333333333' })).status, 403);
      assert.is((await as({ token: given.token.replace(/[0-9]$/, (c) => String(9 - Number(c))) })).status, 403);
      assert.is((await as({ secret })).status, 403);
      // Nor can it be prolonged by whoever saw it.
      const next = await ask({ url, body: `${role}&DurationSeconds=43200`, service: 'sts', ...given });
      assert.match(next.text, `<SessionToken>${given.token}<`);
    }));

  test('without keys where it is told so: whoever can connect, by POST', () =>
    inFolder({}, async (folder) => {
      const server = await serveIn(folder, '--no-auth');
      try {
        const create = form('CreateVolume', '&AvailabilityZone=local-1a&Size=1');
        assert.is((await ask({ url: server.endpoint, body: create })).status, 200);
        assert.is((await ask({ url: server.endpoint, body: create, secret: 'any' })).status, 200);
        assert.is((await ask({ url: `${server.endpoint}/?${create}`, method: 'GET' })).status, 405);
        assert.is(recordsOf(folder, 'local-1', 'volumes').length, 2);
        assert.is(server.env['AWS_SECRET_ACCESS_KEY'], 'local');
      } finally {
        await server.stop();
      }
    }));

  test('the metadata service has a role for root only', () =>
    withServer(async ({ endpoint, metadata, env }) => {
      const credentials = '/latest/meta-data/iam/security-credentials/chrootfile';
      const get = (url: string) => ask({ url, method: 'GET' });
      for (const url of [endpoint, metadata]) {
        assert.match((await get(`${url}${credentials}`)).text, env['AWS_SECRET_ACCESS_KEY'] ?? '-');
        assert.match((await get(`${url}/latest/meta-data/`)).text, 'iam/');
        await asNobody(async () => {
          assert.equal([(await get(`${url}${credentials}`)).status, (await get(`${url}/latest/meta-data/iam/`)).status], [404, 404]);
          const { status, text } = await get(`${url}/latest/meta-data/`);
          assert.equal([status, text.includes('instance-id'), text.includes('iam')], [200, true, false]);
        });
      }
    }));

  test(
    'other machines, where it is told so: with the key, by the names that it is given, and no metadata',
    () =>
      withOtherMachine(async (address, on) =>
        inFolder({}, async (folder) => {
          const serve = (...args: string[]) => run(['local', 'serve', '--port', '0', '--metadata-port', '0', ...args], { folder });
          const refused: Readonly<Record<string, RegExp>> = {
            [`--listen ${address}`]: /--listen requires the host names.*\n {2}help: --listen 198\.51\.100\.1 --host NAME/,
            [`--listen ${address} --host build1 --no-auth`]: /--listen and --no-auth exclude each other/,
            '--listen build1 --host build1': /--listen build1: write an IP address/,
            '--host http://build1': /--host http:\/\/build1: write a host name or an address, without a port/,
          };
          for (const [line, text] of Object.entries(refused)) {
            const { code, stderr } = await serve(...line.split(' '));
            assert.is(code, 2, line);
            assert.match(stderr, text);
          }
          const server = await serveIn(folder, '--listen', address, '--host', 'build1.example', address);
          try {
            const port = new URL(server.endpoint).port;
            assert.is(server.endpoint, `http://build1.example:${port}`);
            assert.not('AWS_EC2_METADATA_SERVICE_ENDPOINT' in server.env);
            assert.match(server.metadata, /^http:\/\/127\.0\.0\.1:/);
            const from = (host: string, body: string, secret = server.env['AWS_SECRET_ACCESS_KEY']) => {
              const headers = Object.entries(signedHeaders({ url: `http://${host}:${port}`, body, secret })).flatMap(([name, value]) => [
                '-H',
                `${name}: ${value}`,
              ]);
              return on('curl', '-s', '--max-time', '5', ...headers, '-H', `host: ${host}:${port}`, '--data-binary', body, `http://${address}:${port}/`);
            };
            const created = from('build1.example', form('CreateVolume', '&AvailabilityZone=local-1a&Size=1'));
            const [, volume] = /<volumeId>(vol-\w+)/.exec(created) ?? [];
            assert.ok(volume, created);
            assert.match(from(address, form('DescribeVolumes')), String(volume));
            assert.match(from('build1.example', form('DescribeVolumes'), 'x'), '<Code>AuthFailure</Code>');
            assert.match(from('rebound.example', form('DescribeVolumes')), "Requests to the host 'rebound.example:");
            const instance = (await ask({ url: `${server.metadata}/latest/meta-data/instance-id`, method: 'GET' })).text;
            const attach = form('AttachVolume', `&VolumeId=${volume}&InstanceId=${instance}&Device=/dev/sdzz`);
            assert.match(
              from('build1.example', attach),
              /<Code>UnsupportedOperation<.*this request comes from 198\.51\.100\.2\. Run the client on the machine that serves EC2/,
            );
            assert.match(from('build1.example', form('DeleteVolume', `&VolumeId=${volume}`)), '<return>true</return>');
            assert.match(
              on('curl', '-s', '--max-time', '5', '-H', `host: build1.example:${port}`, `http://${address}:${port}/latest/meta-data/`),
              'MissingAuthenticationToken',
            );
          } finally {
            await server.stop();
          }
        }),
      ),
    60_000,
  );

  test('a name of this host in capital letters, where only this host is listened to: the URL is the one that is listened on', () =>
    inFolder({ 'r.yml': 'version: 1\nname: r\ntasks:\n  volume: {uses: ec2.volume, with: {size: 1}}\n' }, async (folder) => {
      const server = await serveIn(folder, '--host', 'Build1.Example');
      try {
        const port = new URL(server.endpoint).port;
        assert.is(server.endpoint, `http://127.0.0.1:${port}`);
        const body = form('DescribeVolumes');
        const secret = server.env['AWS_SECRET_ACCESS_KEY'];
        const headers = signedHeaders({ url: `http://build1.example:${port}`, body, secret });
        const named = await ask({ url: server.endpoint, body, headers: { ...headers, host: `build1.example:${port}` } });
        assert.is(named.status, 200, named.text);
        const ofNote = (endpoint: string) => servedAt(endpoint, join(folder, 'state'))?.secretAccessKey;
        assert.equal(
          ['127.0.0.1', 'localhost', 'BUILD1.example'].map((host) => ofNote(`http://${host}:${port}/`)),
          [secret, secret, secret],
        );
        assert.equal([ofNote(`http://other.example:${port}`), ofNote('http://127.0.0.1:1')], [undefined, undefined]);
      } finally {
        await server.stop();
      }
    }));

  test('curl, which signs by itself', () =>
    withServer(async (server: Server) => {
      const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = server.env;
      const command = ['curl', '-sf', '--aws-sigv4', 'aws:amz:local-1:ec2', '--user', `${id}:${secret}`, '--data', form('DescribeRegions'), server.endpoint];
      const { code, stdout } = await runProgram(command, server);
      assert.equal([code, stdout.includes('<regionName>local-1</regionName>')], [0, true]);
    }));
});

/** A URL with a signature that is none, and with a text that ends as the right one might. */
function withoutRight(url: string, body: string): string {
  const date = new Date().toISOString().replace(/[-:]|\.[0-9]+/g, '');
  const signature = 'a'.repeat(64);
  const query = new URLSearchParams(body);
  for (const [name, value] of Object.entries({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `x/${date.slice(0, 8)}/local-1/ec2/aws4_request`,
    'X-Amz-Date': date,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': signature,
    authorization: signature,
  })) {
    query.set(name, value);
  }
  return `${url}/?${query}`;
}
