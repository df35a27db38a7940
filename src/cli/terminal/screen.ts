import { DefaultRenderer } from 'listr2';

/** What Listr's renderer draws with, which it keeps to itself. */
interface Drawing {
  readonly updater?: { clear(): void; done(): void };
  readonly logger: { readonly process: { hijack(): void; release(): void } };
}

/** The screen as Listr draws it, but for the time it is lent to a script that asks. */
export class Screen extends DefaultRenderer {
  private isLent = false;

  // Nothing else stops its drawing: its own prompts are drawn with the rest.
  private get drawing(): Drawing {
    return this as unknown as Drawing;
  }

  override async render(): Promise<void> {
    await super.render();
    // Lent before it was drawn first.
    if (this.isLent) this.drawing.logger.process.release();
  }

  override update(): void {
    if (!this.isLent) super.update();
  }

  lend(): void {
    this.isLent = true;
    const { updater, logger } = this.drawing;
    if (updater === undefined) return;
    updater.clear();
    updater.done();
    logger.process.release();
  }

  takeBack(): void {
    this.isLent = false;
    const { updater, logger } = this.drawing;
    if (updater === undefined) return;
    logger.process.hijack();
    this.update();
  }
}
