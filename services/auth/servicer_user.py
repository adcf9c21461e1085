"""UserService: the RPCs about a company's operators."""

from __future__ import annotations

from typing import Any

from scanmesh.auth.v1 import auth_pb2, auth_pb2_grpc

from services.auth import users, wire
from services.auth.control import Control
from services.auth.passwords import Passwords
from services.auth.store_user import UserStore
from services.auth.users import NewUser, User, UserNotFound
from services.chassis import identity, masks, paging
from services.chassis.clock import Clock
from services.chassis.fields import Problems, resource_id

_LISTING = "users"
_ON_CREATE = ("email", "password", "role")
_ENUMS: dict[str, wire.Closed[Any]] = {"role": wire.ROLE, "status": wire.USER_STATUS}


class UserServicer(auth_pb2_grpc.UserServiceServicer):
    """Creates users and changes them; a disabled one is refused everywhere a second after the answer."""

    def __init__(self, store: UserStore, passwords: Passwords, control: Control, *, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._control = control
        self._trail = wire.Trail("UserService", clock)

    async def CreateUser(
        self, request: auth_pb2.CreateUserRequest, context: Any
    ) -> auth_pb2.CreateUserResponse:
        values = _parse_new(request.user)
        hashed = await self._passwords.hash(values["password"])
        new = NewUser(identity.caller().company_id, values["email"], values["role"], hashed)
        user = await self._store.create(new, self._trail.entry("CreateUser", values))
        self._control.wake()
        return auth_pb2.CreateUserResponse(user=_render(user))

    async def ListUsers(self, request: auth_pb2.ListUsersRequest, context: Any) -> auth_pb2.ListUsersResponse:
        page = paging.parse(request.page_size, request.page_token, listing=_LISTING, key=resource_id)
        listed, more = paging.cut(await self._store.list(identity.caller().company_id, page), page)
        return auth_pb2.ListUsersResponse(
            users=map(_render, listed),
            next_page_token=paging.token(_LISTING, listed[-1].user_id) if more else "",
        )

    async def UpdateUser(
        self, request: auth_pb2.UpdateUserRequest, context: Any
    ) -> auth_pb2.UpdateUserResponse:
        company_id = identity.caller().company_id
        user_id = resource_id(request.user_id)
        values = _parse_update(request)
        if user_id is None:
            raise UserNotFound(request.user_id)
        entry = self._trail.entry("UpdateUser", values)
        if "password" in values:
            values["password_hash"] = await self._passwords.hash(values.pop("password"))
        user = await self._store.update(company_id, user_id, values, entry)
        await self._control.settle(company_id)
        return auth_pb2.UpdateUserResponse(user=_render(user))


def _parse_new(user: auth_pb2.User) -> dict[str, Any]:
    problems = Problems()
    values = wire.read(problems.within("user"), user, _ON_CREATE, _ENUMS)
    values["email"] = users.normal_email(values["email"])
    users.check(problems.within("user"), values)
    problems.raise_any()
    return values


def _parse_update(request: auth_pb2.UpdateUserRequest) -> dict[str, Any]:
    problems = Problems()
    names = masks.fields(problems, request.update_mask, request.user, users.MUTABLE)
    values = wire.read(problems.within("user"), request.user, names, _ENUMS)
    users.check(problems.within("user"), values)
    problems.raise_any()
    return values


def _render(user: User) -> auth_pb2.User:
    return auth_pb2.User(
        user_id=str(user.user_id),
        company_id=user.company_id,
        email=user.email,
        role=wire.ROLE.write(user.role),
        status=wire.USER_STATUS.write(user.status),
    )
