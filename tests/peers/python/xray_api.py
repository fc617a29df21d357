"""Calls of the X-Ray API through boto3, signed by keys that nobody knows. Arguments: the endpoint; the region. Standard input:
a JSON array of [operation, its parameters]. Prints the answers as a JSON array; an error is an object with its `Code`.
"""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, region = sys.argv[1:]
client = boto3.client(
    "xray", endpoint_url=endpoint, region_name=region, aws_access_key_id="caller", aws_secret_access_key="unknown",
    config=Config(retries={"max_attempts": 0}),
)


def call(operation, parameters):
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        return error.response["Error"]
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


print(json.dumps([call(*each) for each in json.load(sys.stdin)], default=str))
