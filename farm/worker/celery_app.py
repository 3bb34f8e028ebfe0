"""The Celery application: how jobs travel from the API to the workers over Redis.

The broker carries a job's id and nothing else; what a job is and where it stands is in `farm.jobs.store`.
"""

from celery import Celery

from farm.settings import Settings

RENDER_TASK = "farm.render"
QUEUE = "render"
VISIBILITY_SECONDS = 3600
"""Longer than any job may take; a shorter time would hand running jobs out a second time."""


def make_app(settings: Settings) -> Celery:
    """A Celery application on the settings' Redis."""
    app = Celery("facefarm", broker=settings.redis_url)
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # A job is acknowledged when it has ended, and a worker takes no second one meanwhile.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # A killed pool process gives its job back; the attempt limit in our own store stops a poison model.
        task_reject_on_worker_lost=True,
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS},
        visibility_timeout=VISIBILITY_SECONDS,
        broker_connection_retry_on_startup=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_soft_shutdown_timeout=settings.shutdown_seconds,
        worker_hijack_root_logger=False,
        worker_send_task_events=True,
        task_send_sent_event=True,
    )
    return app


def enqueue(app: Celery, job_id: str) -> None:
    """Put a job on the queue; call it after the job's record is stored."""
    app.send_task(RENDER_TASK, args=[job_id])
