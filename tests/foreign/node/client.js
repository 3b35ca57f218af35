// The npm package faktory-worker, driven by sub-commands; see ../README.md for what each is told and says.
"use strict";

const fs = require("node:fs");
const faktory = require("faktory-worker");

const CONCURRENCY = 2;
const BEAT_SECONDS = 1;
const LOOK_MILLISECONDS = 50;

function say(event, fields) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

function connection() {
  const authority = process.env.SSL_CERT_FILE;
  return authority ? { tlsOptions: { ca: fs.readFileSync(authority) } } : {};
}

function build(client, wanted) {
  const job = client.job(wanted.jobtype, ...wanted.args);
  job.queue = wanted.queue;
  if (wanted.custom) job.custom = wanted.custom;
  if (wanted.at) job.at = wanted.at;
  return job;
}

async function produce(client, wanted) {
  for (const each of wanted) {
    say("pushed", { jid: await build(client, each).push() });
  }
}

async function produceBulk(client, wanted) {
  const jobs = wanted.map((each) => build(client, each));
  const rejected = await client.pushBulk(jobs);
  const reasons = Object.entries(rejected).map(([jid, { reason }]) => [jid, reason]);
  say("pushed", { jids: jobs.map((job) => job.jid), rejected: Object.fromEntries(reasons) });
}

async function requeue(client, { jid }) {
  await client.retries.withJids(jid).requeue();
  say("requeued", { jid });
}

async function info(client) {
  say("info", { info: await client.info() });
}

async function work({ wid, queue }) {
  faktory.register("echo", (...args) => async ({ job }) => {
    say("worked", { jid: job.jid, args, custom: job.custom || null });
  });
  faktory.register("flaky", (marker) => async ({ job }) => {
    if (!fs.existsSync(marker)) {
      fs.writeFileSync(marker, "");
      throw new Error("the first attempt fails");
    }
    say("worked", { jid: job.jid, args: [marker], custom: null });
  });
  const options = { wid, queues: [queue], concurrency: CONCURRENCY, beatInterval: BEAT_SECONDS };
  const worker = await faktory.work({ ...options, ...connection() });
  say("ready", { wid });
  const look = setInterval(() => {
    if (!worker.quieted) return;
    clearInterval(look);
    say("quiet", { wid });
  }, LOOK_MILLISECONDS);
}

const COMMANDS = { produce, "produce-bulk": produceBulk, requeue, info };

async function main([command, told]) {
  if (command === "work") return work(JSON.parse(told));
  const wanted = JSON.parse(fs.readFileSync(0, "utf8"));
  const client = await faktory.connect(connection());
  try {
    await COMMANDS[command](client, wanted);
  } finally {
    await client.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  say("refused", { message: error.message });
  process.exit(1);
});
