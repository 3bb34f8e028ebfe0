"""What servers of several versions say is understood alike. tests/farm/redis has the one at hand say it."""

import pytest
import redis

from farm.jobs.refusals import explain


@pytest.mark.parametrize(
    "answer",
    [
        "Script attempted to access a slot not served script: 10419ed1, on @user_script:2.",  # Redis 8
        "Attempted to access a non local key in a cluster node script: on @user_script:2.",  # Valkey 9
        "Script attempted to access keys that do not hash to the same slot script: on @user_script:3.",
    ],
)
def test_a_cluster_is_known_by_its_answer_to_a_script(answer: str) -> None:
    told = explain(redis.ResponseError(answer))
    assert told is not None
    assert told.startswith("is a cluster")
    assert answer in told


def test_a_mistake_of_the_farms_own_is_none_of_the_servers() -> None:
    assert explain(redis.ResponseError("wrong number of arguments for 'set' command")) is None
