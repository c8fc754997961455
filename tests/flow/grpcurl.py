"""Does what grpcurl does with the arguments that our pages give it, by reflection alone; in its form, for tests."""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def main(arguments: list[str]) -> int:
    """`-plaintext [-d JSON] ADDRESS list | describe SYMBOL | SERVICE/METHOD`; 0, or 64 plus the status code."""
    assert arguments.pop(0) == "-plaintext"
    data = "{}"
    if arguments[0] == "-d":
        _, data, *arguments = arguments
    address, verb, *rest = arguments
    with grpc.insecure_channel(address) as channel:
        known = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(known)
        if verb == "list":
            print("\n".join(sorted(known.get_services())))
            return 0
        if verb == "describe":
            described = pool.FindMessageTypeByName(rest[0])
            print("\n".join(f"{field.name} = {field.number}" for field in described.fields))
            return 0
        return _call(channel, pool, verb, data)


def _call(channel: grpc.Channel, pool: DescriptorPool, verb: str, data: str) -> int:
    service, method = verb.split("/")
    found = pool.FindServiceByName(service).FindMethodByName(method)
    request = json_format.ParseDict(
        json.loads(data), GetMessageClass(found.input_type)(), descriptor_pool=pool
    )
    call = channel.unary_unary(
        f"/{verb}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(found.output_type).FromString,
    )
    try:
        print(json_format.MessageToJson(call(request, timeout=30), descriptor_pool=pool))
    except grpc.RpcError as error:
        status = error.code()
        name = "".join(word.capitalize() for word in status.name.split("_"))
        print(f"ERROR:\n  Code: {name}\n  Message: {error.details()}", file=sys.stderr)
        return 64 + int(status.value[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
