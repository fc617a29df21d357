"""The calls of `aws-sdk/src/main.rs`, made by boto3 with the real aws-xray-sdk. Argument: the endpoint."""
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY="example")

import boto3
from aws_xray_sdk.core import patch, xray_recorder
from botocore.config import Config
from botocore.exceptions import ClientError

[endpoint] = sys.argv[1:]
xray_recorder.configure(service="boto3", sampling=False)
patch(["botocore"])
config = Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})


def client(name):
    return boto3.client(name, endpoint_url=endpoint, region_name="us-east-1", config=config)


with xray_recorder.in_segment("dynamodb"):
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="Msgs", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="Msgs", Item={"pk": {"S": "a"}})
    values = {":p": {"S": "a"}}
    dynamodb.query(TableName="Msgs", KeyConditionExpression="pk = :p", ExpressionAttributeValues=values)

with xray_recorder.in_segment("dynamodb-error"):
    try:
        dynamodb.get_item(TableName="Nope", Key={"pk": {"S": "a"}})
    except ClientError:
        pass

with xray_recorder.in_segment("dynamodb-parameters"):
    dynamodb.get_item(
        TableName="Msgs", Key={"pk": {"S": "a"}}, ConsistentRead=True, ProjectionExpression="pk",
        ReturnConsumedCapacity="TOTAL",
    )
    dynamodb.list_tables(Limit=10)
    dynamodb.scan(TableName="Msgs")

with xray_recorder.in_segment("s3"):
    s3 = client("s3")
    s3.create_bucket(Bucket="cruddur")
    s3.put_object(Bucket="cruddur", Key="k/1.txt", Body=b"hi")
    s3.get_object(Bucket="cruddur", Key="k/1.txt")["Body"].read()

with xray_recorder.in_segment("s3-error"):
    try:
        s3.get_object(Bucket="cruddur", Key="no ne")
    except ClientError:
        pass

with xray_recorder.in_segment("sqs"):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one book")

with xray_recorder.in_segment("sqs-receive"):
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)
