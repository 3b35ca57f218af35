//! The Rust crate faktory, driven by sub-commands; see ../../README.md for what each is told and says.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use faktory::mutate::JobSet;
use faktory::rustls::TlsStream;
use faktory::{Client, Error, Job, JobId, Worker, WorkerId};
use serde_json::{json, Value};
use tokio::io::BufStream;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn say(event: &str, mut more: Value) {
    more["event"] = json!(event);
    let mut out = io::stdout().lock();
    writeln!(out, "{more}").expect("somebody reads");
    out.flush().expect("somebody reads");
}

fn speaks_tls() -> bool {
    std::env::var_os("SSL_CERT_FILE").is_some()
}

/// The crate knows the scheme tcp alone; that TLS is wanted is said by calling another function.
fn url() -> String {
    let url = std::env::var("FAKTORY_URL").expect("FAKTORY_URL");
    url.replace("tcp+tls://", "tcp://")
}

async fn connect() -> Result<Client, Error> {
    if !speaks_tls() {
        return Client::connect_to(&url()).await;
    }
    let stream = TlsStream::connect_with_native_certs_to(&url()).await?;
    Client::connect_with(BufStream::new(stream), None).await
}

fn build(wanted: &Value) -> Job {
    let args = wanted["args"].as_array().expect("args").clone();
    let kind = wanted["jobtype"].as_str().expect("jobtype");
    let mut job = Job::builder(kind);
    job.args(args).queue(wanted["queue"].as_str().expect("queue"));
    if let Some(at) = wanted["at"].as_str() {
        let at: DateTime<Utc> = at.parse().expect("a timestamp");
        job.at(Some(at));
    }
    for (key, value) in wanted["custom"].as_object().into_iter().flatten() {
        job.add_to_custom_data(key, value.clone());
    }
    job.build()
}

async fn produce(wanted: Value) -> Outcome {
    let mut client = connect().await?;
    for each in wanted.as_array().expect("a list of jobs") {
        let job = build(each);
        let jid = job.id().to_string();
        client.enqueue(job).await?;
        say("pushed", json!({ "jid": jid }));
    }
    Ok(())
}

async fn produce_bulk(wanted: Value) -> Outcome {
    let mut client = connect().await?;
    let wanted = wanted.as_array().expect("a list of jobs");
    let jobs: Vec<Job> = wanted.iter().map(build).collect();
    let jids: Vec<String> = jobs.iter().map(|job| job.id().to_string()).collect();
    let (_, rejected) = client.enqueue_many(jobs).await?;
    let rejected: HashMap<String, String> = rejected.unwrap_or_default();
    say("pushed", json!({ "jids": jids, "rejected": rejected }));
    Ok(())
}

async fn requeue(wanted: Value) -> Outcome {
    let jid = JobId::new(wanted["jid"].as_str().expect("jid"));
    connect().await?.requeue_by_ids(JobSet::Retries, &[&jid]).await?;
    say("requeued", json!({ "jid": jid.to_string() }));
    Ok(())
}

async fn info(_: Value) -> Outcome {
    let answer = connect().await?.current_info().await?;
    say("info", json!({ "info": answer }));
    Ok(())
}

async fn pause(wanted: Value) -> Outcome {
    let queue = wanted["queue"].as_str().expect("queue");
    connect().await?.queue_pause(&[queue]).await?;
    say("paused", json!({ "queue": queue }));
    Ok(())
}

async fn resume(wanted: Value) -> Outcome {
    let queue = wanted["queue"].as_str().expect("queue");
    connect().await?.queue_resume(&[queue]).await?;
    say("resumed", json!({ "queue": queue }));
    Ok(())
}

async fn echo(job: Job) -> Result<(), io::Error> {
    let told = json!({ "jid": job.id().to_string(), "args": job.args(), "custom": job.custom });
    say("worked", told);
    Ok(())
}

async fn flaky(job: Job) -> Result<(), io::Error> {
    let marker = job.args()[0].as_str().expect("a path").to_owned();
    if Path::new(&marker).exists() {
        return echo(job).await;
    }
    std::fs::write(&marker, "")?;
    Err(io::Error::other("the first attempt fails"))
}

async fn work(wanted: Value) -> Outcome {
    let wid = wanted["wid"].as_str().expect("wid");
    let queue = wanted["queue"].as_str().expect("queue");
    let mut builder = Worker::builder()
        .wid(WorkerId::new(wid))
        .register_fn("echo", echo)
        .register_fn("flaky", flaky);
    if speaks_tls() {
        builder = builder.with_rustls();
    }
    let mut worker = builder.connect_to(&url()).await?;
    say("ready", json!({ "wid": wid }));
    worker.run(&[queue]).await?;
    Ok(())
}

fn with_its_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        message += &format!(": {deeper}");
        cause = deeper.source();
    }
    message
}

async fn run(command: &str) -> Outcome {
    if command == "work" {
        let told = std::env::args().nth(2).expect("what to work");
        return work(serde_json::from_str(&told)?).await;
    }
    let told: Value = serde_json::from_reader(io::stdin())?;
    match command {
        "produce" => produce(told).await,
        "produce-bulk" => produce_bulk(told).await,
        "requeue" => requeue(told).await,
        "info" => info(told).await,
        "pause" => pause(told).await,
        "resume" => resume(told).await,
        _ => panic!("unknown: {command}"),
    }
}

#[tokio::main]
async fn main() {
    let command = std::env::args().nth(1).expect("a sub-command");
    if let Err(error) = run(&command).await {
        say("refused", json!({ "message": with_its_causes(error.as_ref()) }));
        std::process::exit(1);
    }
}
