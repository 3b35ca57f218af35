// The Go client and worker, driven by sub-commands; see ../README.md for what each is told and says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	faktory "github.com/contribsys/faktory/client"
	worker "github.com/contribsys/faktory_worker_go"
)

const concurrency = 2

type fields map[string]any

type wanted struct {
	Jobtype string
	Args    []any
	Queue   string
	Custom  map[string]any
	At      string
}

func say(event string, more fields) {
	more["event"] = event
	line, err := json.Marshal(more)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}

func build(each wanted) *faktory.Job {
	job := faktory.NewJob(each.Jobtype, each.Args...)
	job.Queue = each.Queue
	job.Custom = each.Custom
	job.At = each.At
	return job
}

func produce(client *faktory.Client, told []byte) error {
	var jobs []wanted
	if err := json.Unmarshal(told, &jobs); err != nil {
		return err
	}
	for _, each := range jobs {
		job := build(each)
		if err := client.Push(job); err != nil {
			return err
		}
		say("pushed", fields{"jid": job.Jid})
	}
	return nil
}

func produceBulk(client *faktory.Client, told []byte) error {
	var wanted []wanted
	if err := json.Unmarshal(told, &wanted); err != nil {
		return err
	}
	var jobs []*faktory.Job
	var jids []string
	for _, each := range wanted {
		job := build(each)
		jobs, jids = append(jobs, job), append(jids, job.Jid)
	}
	rejected, err := client.PushBulk(jobs)
	if err == nil {
		say("pushed", fields{"jids": jids, "rejected": rejected})
	}
	return err
}

func requeue(client *faktory.Client, told []byte) error {
	var which struct{ Jid string }
	if err := json.Unmarshal(told, &which); err != nil {
		return err
	}
	err := client.Requeue(faktory.Retries, faktory.WithJids(which.Jid))
	if err == nil {
		say("requeued", fields{"jid": which.Jid})
	}
	return err
}

func info(client *faktory.Client, _ []byte) error {
	answer, err := client.Info()
	if err == nil {
		say("info", fields{"info": answer})
	}
	return err
}

func onQueue(event string, do func(*faktory.Client, ...string) error) command {
	return func(client *faktory.Client, told []byte) error {
		var which struct{ Queue string }
		if err := json.Unmarshal(told, &which); err != nil {
			return err
		}
		err := do(client, which.Queue)
		if err == nil {
			say(event, fields{"queue": which.Queue})
		}
		return err
	}
}

func echo(ctx context.Context, args ...any) error { return nil }

func flaky(ctx context.Context, args ...any) error {
	marker := args[0].(string)
	if _, err := os.Stat(marker); err == nil {
		return nil
	}
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		return err
	}
	return errors.New("the first attempt fails")
}

// Only middleware sees the whole job, so it is middleware that tells of it.
func sayWorked(ctx context.Context, job *faktory.Job, next func(context.Context) error) error {
	err := next(ctx)
	if err == nil {
		say("worked", fields{"jid": job.Jid, "args": job.Args, "custom": job.Custom})
	}
	return err
}

func work(told []byte) error {
	var which struct{ Wid, Queue string }
	if err := json.Unmarshal(told, &which); err != nil {
		return err
	}
	manager := worker.NewManager()
	manager.Logger = &worker.StdLogger{Logger: log.New(os.Stderr, "", log.LstdFlags)}
	manager.ProcessWID = which.Wid
	manager.Concurrency = concurrency
	manager.Register("echo", echo)
	manager.Register("flaky", flaky)
	manager.Register("next", next)
	manager.Use(sayWorked)
	manager.ProcessStrictPriorityQueues(which.Queue)
	tell := func(event string) worker.LifecycleEventHandler {
		return func(*worker.Manager) error {
			say(event, fields{"wid": which.Wid})
			return nil
		}
	}
	manager.On(worker.Startup, tell("ready"))
	manager.On(worker.Quiet, tell("quiet"))
	return manager.Run()
}

type command func(*faktory.Client, []byte) error

func run(name string, told []byte) error {
	commands := map[string]command{
		"produce":      produce,
		"produce-bulk": produceBulk,
		"requeue":      requeue,
		"info":         info,
		"batch":        makeBatch,
		"sequence":     makeSequence,
		"pause":        onQueue("paused", (*faktory.Client).PauseQueues),
		"resume":       onQueue("resumed", (*faktory.Client).ResumeQueues),
	}
	client, err := faktory.Open()
	if err != nil {
		return err
	}
	defer client.Close()
	return commands[name](client, told)
}

func main() {
	var err error
	if os.Args[1] == "work" {
		err = work([]byte(os.Args[2]))
	} else {
		var told json.RawMessage
		if err = json.NewDecoder(os.Stdin).Decode(&told); err == nil {
			err = run(os.Args[1], told)
		}
	}
	if err != nil {
		say("refused", fields{"message": err.Error()})
		os.Exit(1)
	}
}
