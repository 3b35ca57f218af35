// Batches: one with both callbacks, and a sequence whose steps are added by the callbacks of the steps before.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	faktory "github.com/contribsys/faktory/client"
	worker "github.com/contribsys/faktory_worker_go"
)

const steps = 3

type place struct{ Queue string }

func (at place) job(jobtype string, args ...any) *faktory.Job {
	job := faktory.NewJob(jobtype, args...)
	job.Queue = at.Queue
	return job
}

func makeBatch(client *faktory.Client, told []byte) error {
	var at place
	if err := json.Unmarshal(told, &at); err != nil {
		return err
	}
	batch := faktory.NewBatch(client)
	batch.Description = "three of us"
	batch.Complete = at.job("echo", "complete")
	batch.Success = at.job("echo", "success")
	err := batch.Jobs(func() error {
		_, err := batch.PushBulk([]*faktory.Job{at.job("echo", 1), at.job("echo", 2), at.job("echo", 3)})
		return err
	})
	if err != nil {
		return err
	}
	status, err := client.BatchStatus(batch.Bid)
	if err == nil {
		say("batch", fields{"bid": batch.Bid, "status": status})
	}
	return err
}

// The parent is committed at once: it waits for its child, whose callback opens it again.
func makeSequence(client *faktory.Client, told []byte) error {
	var at place
	if err := json.Unmarshal(told, &at); err != nil {
		return err
	}
	parent := faktory.NewBatch(client)
	parent.Success = at.job("echo", "end")
	err := parent.Jobs(func() error { return addStep(client, at, parent.Bid, 1) })
	if err == nil {
		say("sequence", fields{"bid": parent.Bid})
	}
	return err
}

func addStep(client *faktory.Client, at place, parent string, number int) error {
	step := faktory.NewBatch(client)
	step.ParentBid = parent
	step.Description = fmt.Sprintf("step %d", number)
	step.Success = at.job("next", "next", at.Queue, parent, number)
	return step.Jobs(func() error {
		if err := step.Push(at.job("echo", "step", number)); err != nil {
			return err
		}
		return step.Push(at.job("echo", "step", number))
	})
}

// The success callback of a step: the next one goes into the parent, which this very callback keeps waiting.
func next(ctx context.Context, args ...any) error {
	at, parent, number := place{args[1].(string)}, args[2].(string), int(args[3].(float64))
	if number == steps {
		return nil
	}
	return worker.HelperFor(ctx).With(func(client *faktory.Client) error {
		opened, err := client.BatchOpen(parent)
		if err != nil {
			return err
		}
		return opened.Jobs(func() error { return addStep(client, at, parent, number+1) })
	})
}
