// A worker in JavaScript, with the package faktory-worker from npm; `worker.py` does the same in Python.
//
//     FAKTORY_URL=tcp://127.0.0.1:7419 node worker.js DIARY    works until it is killed

"use strict";

const fs = require("node:fs");
const { setTimeout: sleep } = require("node:timers/promises");
const faktory = require("faktory-worker");

const RECEIPT_MILLISECONDS = 10;
const PICTURE_MILLISECONDS = 60;

const diary = fs.openSync(process.argv[2], "a");
const note = (word, job) => fs.writeSync(diary, `${word} ${job.jid}\n`);

// What a job does; the wrapper around it notes in the diary how it went, and lets the library report it.
const noted = (perform) => (...args) => async ({ job }) => {
  try {
    await perform(job, ...args);
  } catch (error) {
    note("failed", job);
    throw error;
  }
  note("done", job);
};

faktory.register("resize picture", noted(async (job, picture) => {
  await sleep(PICTURE_MILLISECONDS);
  if (picture === "broken.tif") throw new Error("not an image");
}));

faktory.register("send receipt", noted(async (job, customer) => {
  await sleep(RECEIPT_MILLISECONDS);
  if (customer === "full-mailbox" && !job.failure) throw new Error("mailbox is full, try later");
}));

faktory.work({ queues: ["pictures", "mail"], concurrency: 4, beatInterval: 1 });
