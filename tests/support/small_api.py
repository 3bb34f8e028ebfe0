"""A small application on a real server: the parts that stand before every route, and routes that show what got through."""

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Body, FastAPI, Form, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from api import auth, bodies, etags, limits, problems
from api.connections import Protocol
from farm.jobs.connection import Connection
from farm.jobs.sessions import Sessions
from farm.keys import Keys, Role
from tests.support.servers import PATIENCE_SECONDS


def small_api(keys: Keys, rate: float = 0, redis_url: str = "redis://127.0.0.1:1/0") -> FastAPI:
    """The application, put together as `api.app` does it."""
    routes = APIRouter(prefix="/v1")
    app = FastAPI(responses=problems.RESPONSES)
    app.state.keys = keys
    app.state.sessions = Sessions(Connection(redis_url))
    app.state.pieces_made = 0
    app.state.gate = threading.Event()

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/batches", dependencies=[auth.needs(Role.READ)])
    def batches(who: auth.PrincipalOf) -> dict[str, str]:
        return {"name": who.name}

    @routes.post("/batches", dependencies=[auth.needs(Role.SUBMIT)])
    def create(body: Annotated[dict[str, Any], Body()]) -> int:
        return len(str(body))

    @routes.post("/batches/{batch_id}/cancel", dependencies=[auth.needs(Role.OPERATE)])
    def cancel(batch_id: str) -> str:
        return batch_id

    @routes.post("/mappings", dependencies=[auth.needs(Role.ANNOTATE)])
    def mappings() -> str:
        return "taken"

    @routes.post("/models", dependencies=[auth.needs(Role.SUBMIT)])
    async def upload(file: UploadFile) -> int:
        return len(await file.read())

    @routes.get("/large", dependencies=[auth.needs(Role.READ)])
    def large() -> list[str]:
        return ["x" * 2**20] * 5

    @routes.get("/shard", response_class=StreamingResponse, dependencies=[auth.needs(Role.READ)])
    def shard() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(1000):
                app.state.pieces_made += 1
                yield b"piece"

        return StreamingResponse(pieces(), media_type="application/x-tar", headers={"ETag": '"the-hash"'})

    @routes.get("/flood", response_class=StreamingResponse, dependencies=[auth.needs(Role.READ)])
    def flood() -> StreamingResponse:
        return StreamingResponse(iter([b"x" * 2**18] * 64), media_type="application/x-tar")

    @routes.get("/events", dependencies=[auth.needs(Role.READ)])
    def events() -> StreamingResponse:
        return StreamingResponse(iter(["data: 1\n\n"]), media_type="text/event-stream")

    @routes.get("/waits", dependencies=[auth.needs(Role.READ)])
    def waits() -> str:
        app.state.gate.wait(PATIENCE_SECONDS)
        return "worked"

    @routes.get("/broken", dependencies=[auth.needs(Role.READ)])
    def broken() -> None:
        raise ZeroDivisionError("the secret inside")

    @routes.get("/cut", dependencies=[auth.needs(Role.READ)])
    def cut() -> StreamingResponse:
        def pieces() -> Iterator[bytes]:
            yield b"first"
            raise ZeroDivisionError("in the middle")

        return StreamingResponse(pieces(), media_type="application/x-tar")

    @app.post("/sign-in", include_in_schema=False)
    def sign_in(request: Request, response: Response, key: Annotated[str, Form()]) -> str:
        return auth.sign_in(request, response, key).name

    app.include_router(routes)
    problems.install(app)
    app.add_middleware(etags.ETags)
    app.add_middleware(bodies.BodyLimit)
    app.add_middleware(limits.Share)
    app.add_middleware(limits.RateLimit, rate=rate)
    app.add_middleware(auth.Gate, keys=keys, sessions=app.state.sessions)
    app.add_middleware(problems.LastResort)
    return app


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1") -> Iterator[int]:
    """`app` on a real server in this process; its port."""
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=0, log_level="critical", http=Protocol))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            assert thread.is_alive(), "The server has ended"
            assert time.monotonic() < deadline, "The server does not start"
            time.sleep(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
