"""ACLs: there is no authorizer, as in a Kafka that is not told of one, and whoever has logged in may do everything."""

from __future__ import annotations

from kio.schema.create_acls.v3.request import CreateAclsRequest
from kio.schema.delete_acls.v3.request import DeleteAclsRequest
from kio.schema.describe_acls.v3.request import DescribeAclsRequest
from kio.schema.errors import ErrorCode

from millstream.broker.broker import Broker, Call, Reply
from millstream.broker.protocol.answers.admin import AclResult, CreatedAcls, DeletedAcls, DescribedAcls

_WHY = "No Authorizer is configured."
_NONE = AclResult(ErrorCode.security_disabled, _WHY)


def describe_acls(broker: Broker, call: Call, message: DescribeAclsRequest, reply: Reply) -> None:
    reply(DescribedAcls(ErrorCode.security_disabled, _WHY))


def create_acls(broker: Broker, call: Call, message: CreateAclsRequest, reply: Reply) -> None:
    reply(CreatedAcls((_NONE,) * len(message.creations)))


def delete_acls(broker: Broker, call: Call, message: DeleteAclsRequest, reply: Reply) -> None:
    reply(DeletedAcls((_NONE,) * len(message.filters)))
