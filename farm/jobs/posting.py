"""Posts to an address that a user named, without being led into networks that are none of the user's business."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from farm.errors import FarmError

SEND_SECONDS = 10.0
"""For one try: finding the address, connecting and the answer's head; nobody reads its body."""
_CONNECT_SECONDS = 3.0
_MAX_ADDRESSES = 3
"""Addresses of one name that a try goes to; the first that takes a connection gets the message."""
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL = IPv6Network("2000::/3")


class AddressError(FarmError):
    """The webhook leads where it must not."""

    code = "webhook-address"


async def post(url: httpx.URL, headers: Mapping[str, str], body: bytes, private_allowed: bool) -> int:
    """POST `body`, and the status of the answer. Follows no redirects.

    Raises AddressError when the URL's name leads to no allowed address, TimeoutError, OSError and httpx.HTTPError.
    """
    # httpx times each step; the whole is timed here, or a receiver that sends a byte now and then would hold us for ever.
    async with asyncio.timeout(SEND_SECONDS):
        addresses = await _addresses(url, private_allowed)
        timeout = httpx.Timeout(SEND_SECONDS, connect=_CONNECT_SECONDS)
        async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=timeout) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    # To the address that was looked at: a second look-up could lead elsewhere.
                    url.copy_with(host=address),
                    headers={**headers, "host": url.netloc.decode("ascii")},
                    content=body,
                    extensions={"sni_hostname": url.raw_host.decode("ascii")},
                )
                try:
                    answer = await client.send(request, stream=True, follow_redirects=False)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if address == addresses[-1]:
                        raise
                    continue
                await answer.aclose()
                return answer.status_code
    raise AssertionError("There is at least one address.")


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def _addresses(url: httpx.URL, private_allowed: bool) -> list[str]:
    """Where the URL's name leads to, as far as it may. Raises OSError, and AddressError when nothing is left."""
    found = await asyncio.get_running_loop().getaddrinfo(url.raw_host, url.port, type=socket.SOCK_STREAM)
    unique = dict.fromkeys(str(address[0]) for *_, address in found)
    allowed = [text for text in unique if private_allowed or is_public(ip_address(text))]
    if not allowed:
        raise AddressError(
            "The webhook's address is not public, and the farm goes to no other; an operator can set FARM_WEBHOOK_PRIVATE=1."
        )
    return allowed[:_MAX_ADDRESSES]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is somebody's on the internet, and neither this machine's nor a private network's."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # an IPv4 address in other clothes; so is the next
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        return address in _GLOBAL and address.is_global
    return address.is_global and not address.is_multicast
