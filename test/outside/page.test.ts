import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { recordsOf } from '../support/ec2.js';
import { inFolder } from '../support/folder.js';
import { program, repository, run } from '../support/program.js';
import { runProgram, serveIn, tidyAfterPacker } from '../support/served.js';
import { suite } from '../support/suite.js';

suite('docs/served-ec2.md', (test) => {
  test(
    'its examples work, one after the other, as they stand there',
    () =>
      inFolder({}, async (folder) => {
        const help = (await run(['local', 'serve', '--help'], { folder })).stdout;
        assert.match(help, /\(default:\s+7780\)[\s\S]*\(default:\s+7781\)/);
        const server = await serveIn(folder);
        // The ports that the page names may be somebody else's.
        const page = readFileSync(join(repository, 'docs/served-ec2.md'), 'utf8')
          .replaceAll('http://127.0.0.1:7780', server.endpoint)
          .replaceAll('http://127.0.0.1:7781', server.metadata)
          .replaceAll('sudo chrootfile local env', `${program} local env --state ${join(folder, 'state')}`);
        const block = (language: string) => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';
        const env = { PATH: `/usr/bin:${process.env['PATH']}`, CHECKPOINT_DISABLE: '1', CHROOTFILE_STATE: join(folder, 'runs') };
        const ok = async (...command: string[]) => {
          const ended = await runProgram(command, server, env);
          assert.is(ended.code, 0, `${command.join(' ')}\n${ended.stdout}${ended.stderr}`);
        };
        try {
          const [, line = ''] = /(chrootfile run --cloud aws .*) recipes\/web.yml/.exec(page) ?? [];
          await ok(program, ...line.split(' ').slice(1), join(repository, 'bench/tiny.yml'), '-i', 'name=base-tiny');
          await ok('sh', '-ec', block('sh'));
          await ok('/usr/bin/python3', '-c', block('python'));
          writeFileSync(join(folder, 'packer.json'), block('json'));
          await ok('packer', 'build', 'packer.json');
          const names = recordsOf(folder, 'local-1', 'images').map((image) => String(image['name']).replace(/[0-9]{4,}$/, 'TIME'));
          assert.equal(names.sort(), ['base-tiny', 'by-packer-TIME', 'from-boto3']);
        } finally {
          await server.stop();
          tidyAfterPacker(['xvdf']);
        }
      }),
    180_000,
  );
});
